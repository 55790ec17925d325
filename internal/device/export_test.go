package device

// Seams for fuzzing.
var Argument = argument
