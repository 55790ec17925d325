package identity

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"tasmota-azd/internal/certificate"
)

const (
	expirySoon  = 30 * 24 * time.Hour
	expiryEvery = 24 * time.Hour
)

// A Certificate is the certificate a device signs in with, and where it is found.
type Certificate struct {
	certificate.Certificate        // as it was at the start, zero if there is none
	File, KeyFile           string // read again before each login
}

// A renewal watches over the files of a certificate.
type renewal struct {
	Certificate
	now    func() time.Time
	log    *slog.Logger
	said   string    // what was last said to be wrong with the files
	warned time.Time // when the end was last warned of
}

// current returns the certificate in the files as they are now, or the last one
// that was good.
func (r *renewal) current() certificate.Certificate {
	if r.IsZero() {
		return r.Certificate.Certificate
	}
	found, err := r.read()
	switch {
	case err != nil:
		r.keepOld(err)
	case !found.Equal(r.Certificate.Certificate):
		r.log.Info("there is a new certificate", "file", r.File, "name", found.Name(), "expires", found.Leaf().NotAfter)
		r.Certificate.Certificate, r.said, r.warned = found, "", time.Time{}
	default:
		r.said = ""
	}
	r.warn()
	return r.Certificate.Certificate
}

// keepOld says once what is wrong with the files.
func (r *renewal) keepOld(err error) {
	if text := err.Error(); text != r.said {
		r.said = text
		r.log.Warn("the certificate in the files cannot be used, the one before stays in use", "err", err)
	}
}

func (r *renewal) read() (certificate.Certificate, error) {
	cert, err := readFile(r.File)
	if err != nil {
		return certificate.Certificate{}, err
	}
	key, err := readFile(r.KeyFile)
	if err != nil {
		return certificate.Certificate{}, err
	}
	found, err := certificate.Parse(cert, key)
	if e, ok := errors.AsType[*certificate.Error](err); ok {
		file := r.File
		if e.InKey {
			file = r.KeyFile
		}
		return found, errors.New(file + ": " + e.Error())
	}
	return found, err
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, certificate.MaxFile))
}

// warn says once a day how long the certificate has to live.
func (r *renewal) warn() {
	end := r.Leaf().NotAfter
	left := end.Sub(r.now())
	if left > expirySoon || !r.warned.IsZero() && time.Since(r.warned) < expiryEvery {
		return
	}
	r.warned = time.Now()
	if left < 0 {
		r.log.Error("the certificate has expired", "file", r.File, "expired", end)
		return
	}
	r.log.Warn("the certificate expires soon: put a new one there", "file", r.File, "days_left", int(left.Hours()/24), "expires", end)
}
