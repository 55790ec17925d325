// Command dtdl makes the IoT Plug and Play models of the daemon (DTDL version 2).
// Without an argument it writes all of them, one interface to a file, where tools
// look for them by their names: dtmi:tasmotaAzd:Relays4;1 is dtmi/tasmotaazd/relays4-1.json.
// With a number it prints the model for so many relays with all it refers to, as IoT
// Central imports it:
//
//	go run ./configs/dtdl 4 > model.json
//
// A relay is a component, not an entry of a map: IoT Central shows components with a
// form and a command button each, a map only as text. Which components a device has
// is part of its model, so there is one for each number of relays.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:generate go run .

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dtdl:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return writeAll(".")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || n > mostRelays {
		return fmt.Errorf("%s: a number of relays from 1 to %d", args[0], mostRelays)
	}
	text, err := encode(expanded(n))
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

func writeAll(dir string) error {
	for _, i := range all() {
		text, err := encode(i)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, fileName(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fileName is where a tool looks for an interface.
func fileName(i Interface) string {
	name, version, _ := strings.Cut(strings.ToLower(i.ID), ";")
	return strings.ReplaceAll(name, ":", "/") + "-" + version + ".json"
}

func encode(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
