// Package configs holds those files of this directory that are built into the
// program: the presets of relay boards. Embedding cannot reach upwards, so the
// package has to be where they are.
package configs

import "embed"

// Boards has one file for each relay board, boards/<name>.yaml.
//
//go:embed boards/*.yaml
var Boards embed.FS
