// Package configs holds those files of this directory that are built into the
// program: the presets of relay boards, and the sample configuration. Embedding
// cannot reach upwards, so the package has to be where they are.
package configs

import "embed"

// Boards has one file for each relay board, boards/<name>.yaml.
//
//go:embed boards/*.yaml
var Boards embed.FS

// Sample is the configuration as shipped. Its comments are the one place where the
// keys are explained: the schema and the manual have their words from there.
//
//go:embed config.yaml
var Sample string
