package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The largest files that are read, in bytes.
const (
	maxSecretFile = 64 << 10
	maxCAFile     = 1 << 20 // the roots of a whole distribution have a quarter of it
)

var (
	errNotFile = errors.New("is not an ordinary file")
	errTooBig  = errors.New("is too large for what it should be")
)

// readFile returns an ordinary file of limit bytes at most. It does not wait
// for a pipe, and asks the opened file for its mode, not its name.
func readFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errNotFile
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(text)) > limit {
		return nil, nil, errTooBig
	}
	return text, info, nil
}

// fileFault says why a file could not be read, and what to do about it.
func fileFault(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist; create it, or correct the name"
	case errors.Is(err, fs.ErrPermission):
		path = shellWord(path)
		return fmt.Sprintf("may not be read by this user (uid %d); run: chgrp %s %s && chmod g+r %[3]s", os.Geteuid(), ownGroup(), path)
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return "cannot be read: " + pathErr.Err.Error()
	}
	return err.Error()
}

// open reports whether everybody may read or write a file. The group may: the
// service belongs to it, and its files to root.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o006 != 0 }

// shut returns the command that closes a file to others, and keeps it open to
// this process.
func shut(path string, info fs.FileInfo) string {
	path = shellWord(path)
	st, ok := info.Sys().(*syscall.Stat_t)
	switch euid := os.Geteuid(); {
	case ok && euid == 0 && st.Gid == 0:
		return "chmod o-rwx " + path + " (and chgrp it to the group of the service, if that is not root)"
	case ok && euid != 0 && int(st.Uid) != euid && !inGroup(int(st.Gid)):
		return fmt.Sprintf("chgrp %s %s && chmod 640 %[2]s", ownGroup(), path)
	}
	return "chmod o-rwx " + path
}

func inGroup(gid int) bool {
	groups, err := os.Getgroups()
	return gid == os.Getegid() || err == nil && slices.Contains(groups, gid)
}

// ownGroup is the name of this process's group, or else its number.
func ownGroup() string {
	gid := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(gid); err == nil {
		return g.Name
	}
	return gid
}

// shellWord returns path as one word of a shell command.
func shellWord(path string) string {
	if !strings.ContainsAny(path, " \t\"'\\$`&|;<>()*?[]{}~#!") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// hasPrivateKey reports whether there is a private key in PEM in text.
func hasPrivateKey(text []byte) bool { return bytes.Contains(text, []byte("PRIVATE KEY-----")) }

// ca reads a file of root certificates.
func (c *checker) ca(s scalar) CA {
	var path string
	if !c.path(s, &path) {
		return nil
	}
	text, _, err := readFile(path, maxCAFile)
	if err != nil {
		c.wrong(s, "%s %s", path, fileFault(path, err))
		return nil
	}
	certs, why := parseCA(text)
	if why != "" {
		c.wrong(s, "in %s: %s", path, why)
	}
	return certs
}

// parseCA reads certificates in PEM, and says what is wrong with them.
func parseCA(text []byte) (certs CA, why string) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n := len(certs) + 1
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, "this file holds a private key; only certificates belong here"
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Sprintf("block %d is a %s; only CERTIFICATE belongs here", n, strings.ToLower(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Sprintf("certificate %d cannot be read: %s", n, strings.TrimPrefix(err.Error(), "x509: "))
		}
		certs = append(certs, cert)
	}
	if len(certs) > 0 {
		return certs, ""
	}
	if _, err := x509.ParseCertificate(text); err == nil {
		return nil, "this certificate is in DER; convert it to PEM: openssl x509 -inform der -in FILE -out FILE.pem"
	}
	return nil, "no certificate in PEM is there (-----BEGIN CERTIFICATE-----)"
}
