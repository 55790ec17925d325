package hub_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"tasmota-azd/internal/hub"
)

func TestNetworkErrorsInWords(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		name  string
		err   error
		kind  hub.Kind
		words string
	}{
		{"no such host", dial(&net.DNSError{Err: "no such host", Name: hubName, IsNotFound: true}), hub.NoName,
			"there is no host contoso.azure-devices.net: check the name of the hub"},
		{"no name server", dial(&net.DNSError{Err: "i/o timeout", Name: hubName, IsTimeout: true}), hub.NoName,
			"the name server does not answer, so contoso.azure-devices.net cannot be found"},
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), hub.Unreachable,
			"contoso.azure-devices.net refuses connections on port 8883"},
		{"offline", dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), hub.Unreachable,
			"there is no way to contoso.azure-devices.net: is this device online?"},
		{"timeout", dial(context.DeadlineExceeded), hub.Unreachable,
			"contoso.azure-devices.net does not answer on port 8883: does a firewall block it?"},
		{"other", dial(errors.New("sign with SharedAccessSignature sr=a&sig=b&se=1 failed")), hub.Unreachable,
			"cannot connect to contoso.azure-devices.net, port 8883: sign with [token] failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := setup{manual: true}
			s.options.Dial = func(context.Context, string, int) (net.Conn, error) { return nil, tt.err }
			inBubble(t, s, func(t *testing.T, c *cloud, d *device) {
				d.run()
				synctest.Wait()
				e, ok := errors.AsType[*hub.Error](d.lastError())
				if !ok || e.Kind != tt.kind || !strings.HasPrefix(e.Error(), tt.words) || !errors.Is(e, tt.err) {
					t.Errorf("told: %#v", e)
				}
			})
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 1, 0xd0, 0}, 3)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, 1)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01}, 2)
	f.Add(append([]byte{0x30, 0x80, 0x01}, make([]byte, 130)...), 5)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		whole := hub.CheckFrames(stream)
		if cut = max(0, min(cut, len(stream))); hub.CheckFrames(stream[:cut], stream[cut:]) != whole {
			t.Errorf("cut at %d, the verdict is another", cut)
		}
		if single := hub.CheckFrames(split(stream)...); single != whole {
			t.Errorf("byte by byte the verdict is %v, else %v", single, whole)
		}
	})
}

func split(b []byte) (all [][]byte) {
	for i := range b {
		all = append(all, b[i:i+1])
	}
	return all
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"the largest", append([]byte{0x30, 0x80, 0x80, 0x10}, bytes.Repeat([]byte{0xff}, 256*1024)...), true},
		{"one byte more", []byte{0x30, 0x81, 0x80, 0x10}, false},
		{"after others", []byte{0xd0, 0, 0x40, 2, 0, 1, 0x30, 0xff, 0xff, 0xff, 0x7f}, false},
		{"five bytes of length", []byte{0x30, 0x80, 0x80, 0x80, 0x80}, false},
	} {
		if err := hub.CheckFrames(tt.in); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
