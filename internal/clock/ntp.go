package clock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"
)

// maxDistance is how far a server may be from its reference clock, in error
// bounds: far below the five minutes that the hub tolerates (the contract,
// section 2.4), and enough for a bad mobile network.
const maxDistance = 3 * time.Second

// askTime is how long a server has to answer, its name being looked up
// included.
const askTime = 5 * time.Second

// errKiss is a server's request not to be asked.
var errKiss = errors.New("asks to be left alone")

// NTP asks one time server for the offset of the clock local. It gives up when
// ctx ends.
func NTP(ctx context.Context, server string, local func() time.Time) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	dial := func(_, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "udp", address)
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() }) // cancel above makes it run in any case
		}
		return conn, err
	}
	r, err := ntp.QueryWithOptions(server, ntp.QueryOptions{
		Timeout:       askTime,
		GetSystemTime: local,
		Dialer:        dial,
		Extensions:    []ntp.Extension{guard{}},
	})
	switch {
	case ctx.Err() != nil:
		return Sample{}, fmt.Errorf("no answer: %w", ctx.Err())
	case err != nil:
		return Sample{}, err
	}
	return judge(r)
}

// guard looks at an answer before the library does, which panics (in v1.6.0) at
// the one poll interval and the one precision it cannot negate.
type guard struct{}

func (guard) ProcessQuery(*bytes.Buffer) error { return nil }

func (guard) ProcessResponse(answer []byte) error {
	const poll, precision, worst = 2, 3, 0x80 // offsets, and -128 as a byte (RFC 5905, section 7.3)
	if len(answer) > precision && (answer[poll] == worst || answer[precision] == worst) {
		return errors.New("impossible poll interval or precision")
	}
	return nil
}

// judge decides whether an answer is good enough to count.
func judge(r *ntp.Response) (Sample, error) {
	if r.IsKissOfDeath() {
		return Sample{}, fmt.Errorf("%w: %q", errKiss, r.KissCode)
	}
	if err := r.Validate(); err != nil { // stratum, leap, freshness among others
		return Sample{}, err
	}
	if r.RootDistance > maxDistance {
		return Sample{}, fmt.Errorf("answer is only good to %v", r.RootDistance.Round(time.Millisecond))
	}
	return Sample{Offset: r.ClockOffset, Error: r.RootDistance}, nil
}
