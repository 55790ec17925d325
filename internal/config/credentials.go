package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretPath reads the name of a file with a secret. A name without a path is that of
// a credential, if systemd gave the service one so named (LoadCredential= in
// systemd.exec(5)), else that of a file beside the configuration.
func (c *checker) secretPath(s scalar, into *string) bool {
	if !c.path(s, into) {
		return false
	}
	if c.credentials != "" && bare(s.text) {
		path := filepath.Join(c.credentials, s.text)
		if _, err := os.Lstat(path); err == nil {
			*into = path
			c.sealed = append(c.sealed, s.path)
		}
	}
	c.secrets = append(c.secrets, *into)
	return true
}

// bare reports whether a name has no path, as those of credentials.
func bare(name string) bool { return !strings.Contains(name, "/") }

// secretFault is fileFault for a secret, which may be a credential that only the
// service gets to see.
func (c *checker) secretFault(s scalar, path string, err error) string {
	fault := fileFault(path, err)
	if c.credentials == "" && bare(s.text) && errors.Is(err, fs.ErrNotExist) {
		fault += " (a credential of the unit is seen by the service alone)"
	}
	return fault
}

// guarded refuses a file with a secret that everybody may read or write.
func (c *checker) guarded(s scalar, path string, info fs.FileInfo) {
	if open(info) {
		c.wrong(s, "others may read %s (mode %04o); run: %s", path, info.Mode().Perm(), shut(path, info))
	}
}
