package device

// Seams for fuzzing.
var Argument = argument

// Parts is what a message of so many bytes counts.
func Parts(size, bytes int) int { return (&meter{size: size}).parts(bytes) }
