package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"tasmota-azd/internal/hubsim"
)

// readKey reads a key in base64 from a file. No name means no key.
func readKey(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

// keyFile reads a key, or makes one and its file.
func keyFile(path string) (string, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = hubsim.NewKey()
		err = os.WriteFile(path, []byte(key+"\n"), 0o600)
	}
	return key, err
}
