// Package enroll gives a device its key: it finds out what an owner was given, proves it
// against the cloud, seals the key of this device and writes the configuration.
//
// The key of an enrollment group lives here for moments only, in memory: what is kept is
// the key that was derived from it for this device. Whether anything is kept is decided
// last: until the cloud has taken the key, and the configuration with it is found to be
// in order, nothing on the disk changes.
//
// How the cloud is asked, and where the words go, is for who calls.
package enroll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/edit"
)

// Options say what to enroll, and where.
type Options struct {
	Config string // the configuration file, which exists
	Secret Secret
	Where  Where
	Vault  Vault
	// Prove asks the cloud, as a daemon with this configuration would, and returns what
	// it says, such as the name of the hub. An error that is a Refusal is that of a cloud
	// that knows no such key; any other ends the enrollment.
	Prove func(context.Context, Try, config.Config) (said string, err error)
	Out   io.Writer // what was tried, and what came of it
}

// A Refusal is the cloud's no to one meaning of a key; it may say yes to another.
type Refusal struct{ Err error }

// Error is what the cloud said.
func (r Refusal) Error() string { return r.Err.Error() }

// ErrRefused is the error if the cloud takes the key as nothing that it could be.
var ErrRefused = errors.New("the cloud does not take this key, so nothing is changed: compare it with the primary or secondary key in the portal, " +
	"the id, in which capitals matter, with the one there, and the ID Scope or the name of the hub")

// An Outcome is what was done.
type Outcome struct {
	Try     Try
	Kept    Kept
	Changes []edit.Change // of the configuration
	Unused  []string      // files with keys that the configuration named before
}

// Run enrolls the device. After an error nothing is changed.
func Run(ctx context.Context, o Options) (Outcome, error) {
	text, err := read(o.Config)
	if err != nil {
		return Outcome{}, err
	}
	tries, err := o.Secret.tries(o.Where, text)
	if err != nil {
		return Outcome{}, err
	}
	fmt.Fprintf(o.Out, "This is %s. Asking the cloud:\n", o.Secret)
	for _, t := range tries {
		changed, changes, cfg, err := t.write(text, o.Config)
		if err != nil {
			return Outcome{}, err
		}
		fmt.Fprintf(o.Out, "  %s … ", t)
		said, err := o.Prove(ctx, t, cfg)
		if no, ok := errors.AsType[Refusal](err); ok {
			fmt.Fprintf(o.Out, "no: %v\n", no)
			continue
		}
		if err != nil {
			fmt.Fprintln(o.Out, "no answer")
			return Outcome{}, err
		}
		fmt.Fprintf(o.Out, "yes: %s\n", said)
		if now, err := read(o.Config); err != nil || now != text { // the cloud may have taken minutes
			return Outcome{}, errors.Join(err, fmt.Errorf("%s has been changed by somebody else meanwhile, so nothing is written; run this once more", o.Config))
		}
		kept, err := o.Vault.keep(ctx, t, o.Config, changed)
		return Outcome{t, kept, changes, unused(text, o.Config, kept)}, err
	}
	return Outcome{}, ErrRefused
}

// maxFile is the largest configuration that is read, in bytes.
const maxFile = 1 << 20

func read(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &config.Error{File: path, Mistakes: []config.Mistake{{Text: "does not exist; write it first: tasmota-azd config init --config " + path}}}
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB; this cannot be a configuration", path)
	}
	return string(text), err
}

// write makes the configuration in which the key is used so, and reads it.
func (t Try) write(text, path string) (string, []edit.Change, config.Config, error) {
	changed, changes, err := edit.Apply(text, t.changes())
	switch {
	case errors.Is(err, edit.ErrSyntax):
		if _, mistakes := config.Parse(strings.NewReader(text), path); mistakes != nil { // which knows the line
			err = mistakes
		}
		return "", nil, config.Config{}, err
	case err != nil:
		return "", nil, config.Config{}, fmt.Errorf("%s: %w; change it by hand, or begin anew with \"tasmota-azd config init\", so that it says:\n%s",
			path, err, t.lines())
	}
	cfg, err := config.ParseWith(strings.NewReader(changed), path, t.file(), string(t.text()))
	return changed, changes, cfg, err
}

// unused lists the files with keys that a configuration named and that are still there.
func unused(text, path string, kept Kept) []string {
	var list []string
	for _, key := range [][2]string{{"hub", "key_file"}, {"hub", "secondary_key_file"}, {"hub", "connection_string_file"}, {"dps", "key_file"}} {
		name := edit.Value(text, key[0], key[1])
		if name == "" {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && name != kept.File {
			list = append(list, name)
		}
	}
	return list
}
