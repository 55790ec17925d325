package boards

// Parse is for the tests, which stand outside of the package.
var Parse = parse
