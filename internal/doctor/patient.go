package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tasmota-azd/internal/clock"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/control"
	"tasmota-azd/internal/hub"
	"tasmota-azd/internal/identity"
	"tasmota-azd/internal/relay/gpiochip"
)

// A patient is what the checks have learned. A field is written by one check and read by
// those that come after it.
type patient struct {
	o       Options
	mistake error // of the file, or of the pins in it

	given   map[string]string       // of credential: what the credentials hold
	sealed  string                  // of credential: why they are not known
	loaded  atomic.Bool             // by file
	cfg     config.Config           // of file
	service service                 // of user
	chips   []gpiochip.Chip         // of chip
	places  []gpiochip.Place        // of lines
	daemon  *status                 // of daemon, nil if none answers
	samples map[string]sample       // of time-servers
	now     func() time.Time        // of clock
	who     identity.Known          // of identity
	probe   *hub.Probe              // of assignment
	direct  bool                    // of mqtt-port
	chains  [2]*tls.ConnectionState // of tls and tls-https
	knock   error                   // of login
	knocked bool

	proxied  bool // of proxy: there is one, and it works
	nameless bool // of name-server: names cannot be looked up
	lookups  lookups
}

// A sample is what one time server said.
type sample struct {
	clock.Sample
	err error
}

// A service is who runs the daemon.
type service struct {
	name   string // empty: no unit says it
	uid    int
	groups []int
}

// A status is what the running daemon tells of itself, as far as checks need it.
type status struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	Device  string `json:"device"`
	Session struct {
		Connected bool      `json:"connected"`
		Host      string    `json:"host"`
		Since     time.Time `json:"since"`
		Why       string    `json:"why"`
		Rival     bool      `json:"rival"`
	} `json:"session"`
	Spent struct {
		Messages int `json:"messages"`
	} `json:"spent"`
	Limit int `json:"daily_limit"`
	Lost  int `json:"lost"`
}

func newPatient(o Options) *patient {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &patient{o: o, now: time.Now}
}

// path is where a file of the system is.
func (p *patient) path(name string) string { return filepath.Join(p.o.Root, name) }

// text reads a small file of the system, without the space around it.
func (p *patient) text(name string) (string, error) {
	b, err := os.ReadFile(p.path(name))
	return strings.TrimSpace(string(b)), err
}

// ask asks the daemon at the first socket that there is.
func (p *patient) ask(ctx context.Context) (*status, error) {
	var last error
	for _, socket := range append(p.o.Sockets, filepath.Join(p.o.StateDir(p.cfg), control.Socket)) {
		if _, err := os.Lstat(socket); errors.Is(err, os.ErrNotExist) {
			continue
		}
		s := new(status)
		err := control.NewClient(socket).Status(ctx, s)
		if err == nil {
			return s, nil
		}
		last = err
	}
	return nil, last
}

// lookups remembers what the name server said, for all checks alike.
type lookups struct {
	mu    sync.Mutex
	known map[string]lookup
}

type lookup struct {
	addresses []string
	err       error
}
