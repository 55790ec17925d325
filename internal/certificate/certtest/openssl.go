package certtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Renegotiate is a TLS 1.2 server on port of this machine, for one connection,
// that asks for a certificate when it has heard an HTTP request, and then
// answers with response. Only openssl does that. It shows p, whose name should
// be localhost.
func (p Pair) Renegotiate(t testing.TB, response string) (port int) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT TESTED: openssl is not installed (Debian package openssl)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	cert, key := p.Write(t, t.TempDir(), "server")
	cmd := exec.Command("openssl", "s_server", "-accept", fmt.Sprint("127.0.0.1:", port), "-tls1_2", "-cert", cert, "-key", key, "-naccept", "1", "-legacy_renegotiation")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		converse(t, in, out, ready, response)
	}()
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		<-done
		cmd.Wait()
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatal("openssl does not listen")
	}
	return port
}

// converse speaks to s_server: what it hears comes out, what it is to say goes
// in, and a line "R" has it renegotiate.
func converse(t testing.TB, in io.Writer, out io.Reader, ready chan struct{}, response string) {
	for s := bufio.NewScanner(out); s.Scan(); {
		line := strings.TrimSuffix(s.Text(), "\r")
		t.Log("openssl: " + line)
		switch {
		case line == "ACCEPT" && ready != nil:
			close(ready)
			ready = nil
		case strings.HasPrefix(line, "Host: "): // the request, or nearly all of it
			io.WriteString(in, "R\n")
		case strings.Contains(line, "SSL_do_handshake"): // at the end of a line, if the request has a body
			io.WriteString(in, response)
		}
	}
}
