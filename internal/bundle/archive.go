package bundle

import (
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"time"
)

// An archive is written in the format ustar (POSIX.1-1988), of which ordinary files with
// short names are all that is needed; package archive/tar has 30 kB more.
type archive struct {
	zip *gzip.Writer
	dir string
	at  time.Time
	err error
}

const block = 512

func newArchive(w io.Writer, dir string, at time.Time) *archive {
	return &archive{zip: gzip.NewWriter(w), dir: dir, at: at}
}

// add writes a file. The first error is that of close.
func (a *archive) add(name string, text []byte) {
	a.write(a.header(path.Join(a.dir, name), len(text)))
	a.write(text)
	a.write(make([]byte, (block-len(text)%block)%block))
}

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.zip.Write(b)
	}
}

func (a *archive) close() error {
	a.write(make([]byte, 2*block)) // the end
	if err := a.zip.Close(); a.err == nil {
		a.err = err
	}
	return a.err
}

// header describes a file that its owner alone may read.
func (a *archive) header(name string, size int) []byte {
	h := make([]byte, block)
	if len(name) > 100 {
		a.err = fmt.Errorf("%s: too long a name for the archive", name)
	}
	copy(h, name)
	copy(h[100:], "0000600\x000000000\x000000000\x00") // mode, user, group
	copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00", size, a.at.Unix()))
	copy(h[148:], "        0") // the sum as if it were blanks; an ordinary file
	copy(h[257:], "ustar\x0000root")
	copy(h[297:], "root")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}
