package packages_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Who builds it elsewhere, with another umask and in another time zone, gets the same
// bytes. `make verify-release` compares all architectures, with an empty cache of Go's.
func TestSameBytes(t *testing.T) {
	dist := built(t)
	again, err := build(building{dir: filepath.Join(work, "another folder"), umask: "077", zone: "Pacific/Chatham"})
	if err != nil {
		t.Fatal(err)
	}
	sums := read(t, filepath.Join(dist, "SHA256SUMS"))
	if strings.Count(sums, "\n") != 2 {
		t.Errorf("sums of other than two files:\n%s", sums)
	}
	if other := read(t, filepath.Join(again, "SHA256SUMS")); other != sums {
		t.Errorf("one build:\n%sanother:\n%s", sums, other)
	}
	output(t, again, "sha256sum", "--check", "--strict", filepath.Join(dist, "SHA256SUMS"))
}

func TestLintian(t *testing.T) {
	need(t, "lintian", "lintian")
	t.Log(output(t, ".", "lintian", "--allow-root", "--fail-on", "error,warning", deb(t, built(t))))
}

func TestShellcheck(t *testing.T) {
	need(t, "shellcheck", "shellcheck")
	dir := filepath.Join("..", "..", "packaging")
	output(t, dir, "shellcheck", "build.sh", "verify.sh", "postinst", "prerm", "postrm")
}

// The checksums are signed with a key from outside, and gpgv, which apt needs as well,
// notices a change.
func TestSigned(t *testing.T) {
	need(t, "gpg", "gnupg")
	dist := built(t)
	home := t.TempDir()
	t.Setenv("GNUPGHOME", home)
	output(t, dist, "gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", "release@example.com", "ed25519", "sign", "0")
	t.Cleanup(func() { output(t, ".", "gpgconf", "--kill", "all") })
	output(t, filepath.Dir(dist), "make", "sign-packages", "SIGNING_KEY=release@example.com")
	output(t, dist, "gpg", "--batch", "--output", filepath.Join(home, "release.gpg"), "--export", "release@example.com")
	verify := func() error {
		cmd := exec.Command("gpgv", "--keyring", filepath.Join(home, "release.gpg"), "SHA256SUMS.asc", filepath.Join(home, "SHA256SUMS"))
		cmd.Dir = dist
		return cmd.Run()
	}
	sums := read(t, filepath.Join(dist, "SHA256SUMS"))
	write(t, filepath.Join(home, "SHA256SUMS"), sums)
	if err := verify(); err != nil {
		t.Errorf("what was signed: %v", err)
	}
	write(t, filepath.Join(home, "SHA256SUMS"), strings.Replace(sums, "a", "b", 1))
	if verify() == nil {
		t.Error("a change is not noticed")
	}
}

// The list of parts names the modules that are in the program, and no others.
func TestParts(t *testing.T) {
	dist := built(t)
	var bom struct {
		BomFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, strings.TrimSuffix(deb(t, dist), "deb")+"cdx.json")), &bom); err != nil {
		t.Fatal(err)
	}
	var listed, linked []string
	for _, c := range bom.Components {
		if c.Name != "std" {
			listed = append(listed, c.Name+" "+c.Version)
		}
	}
	info := output(t, dist, "go", "version", "-m", "amd64/tasmota-azd")
	for _, m := range regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(info, -1) {
		linked = append(linked, m[1]+" "+m[2])
	}
	if got, want := strings.Join(listed, "\n"), strings.Join(linked, "\n"); bom.BomFormat != "CycloneDX" || got != want || want == "" {
		t.Errorf("%s lists\n%s\nthe program has\n%s", bom.BomFormat, got, want)
	}
}

// What is in the package: one static program, a page of the manual for each command,
// completions that shells take.
func TestContents(t *testing.T) {
	root := t.TempDir()
	output(t, ".", "dpkg-deb", "-x", deb(t, built(t)), root)
	program := filepath.Join(root, "usr/bin/tasmota-azd")
	if libs, err := exec.Command("ldd", program).CombinedOutput(); err == nil {
		t.Errorf("the program needs libraries: %s", libs)
	}
	pages, err := filepath.Glob(filepath.Join(root, "usr/share/man/man8/*"))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(pages); got != 1+commands(t, program) {
		t.Errorf("%d pages of the manual, %d commands", got, commands(t, program))
	}
	for _, p := range pages {
		if text := output(t, ".", "zcat", p); !strings.HasPrefix(text, ".nh\n.TH") || !strings.Contains(text, "SYNOPSIS") {
			t.Errorf("%s begins %.40q", p, text)
		}
	}
	script := filepath.Join(root, "usr/share/bash-completion/completions/tasmota-azd")
	if got := output(t, ".", "bash", "-euc", `. "$0"; complete -p tasmota-azd`, script); !strings.Contains(got, "__start_tasmota-azd") {
		t.Errorf("bash completes with %s", got)
	}
}

// commands counts the commands of the program, and their commands, as it lists them
// for the shell; those for the shell itself have no page.
func commands(t *testing.T, program string, path ...string) (n int) {
	t.Helper()
	out := output(t, ".", program, append(append([]string{"__complete"}, path...), "")...)
	for line := range strings.Lines(out) {
		name, about, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && about != "" && name != "completion" && name != "help" {
			n += 1 + commands(t, program, append(path, name)...)
		}
	}
	return n
}

// The examples are configurations without a mistake, once the keys that they name are there.
func TestExamples(t *testing.T) {
	root := t.TempDir()
	output(t, ".", "dpkg-deb", "-x", deb(t, built(t)), root)
	examples, err := filepath.Glob(filepath.Join(root, "usr/share/doc/tasmota-azd/examples/*.yaml"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("examples: %q, %v", examples, err)
	}
	dir := filepath.Dir(examples[0])
	for _, name := range []string{"device.key", "enrollment.key"} {
		write(t, filepath.Join(dir, name), "c2FtcGxlIG9ubHksIG5vdCBhIHJlYWwga2V5ISEhISE=\n")
	}
	output(t, dir, "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=pump", "-keyout", "device.key.pem", "-out", "device.pem")
	for _, e := range examples {
		output(t, dir, filepath.Join(root, "usr/bin/tasmota-azd"), "check", "--only", "file", "--config", e)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ToValidUTF8(text, nil))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
