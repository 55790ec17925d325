// Package bundle makes the archive that an owner sends to those who are to help.
//
// What is in it is a list: each Member is named, with what it holds and what for, and
// comes from one function. Nothing is taken along because it lies beside something. A
// member that cannot be had is a line in the manifest, and no reason to make no archive.
//
// The room reads files and asks systemd and the journal; of the daemon and its
// configuration it knows nothing.
package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// The largest sizes in bytes, before they are packed.
const (
	MostTotal  = 8 << 20   // of all members together
	mostMember = 512 << 10 // of one that says nothing else
)

const within = 20 * time.Second // a member that says nothing else must be had

// A Member is one file of the archive.
type Member struct {
	Name  string
	Holds string // and nothing else
	Why   string // those who help want it
	Most  int    // bytes; what is beyond is cut off. 0: half a megabyte

	Within time.Duration // it must be had. 0: 20 seconds

	// Read returns what it holds. With an error too, that is not all.
	Read func(context.Context) ([]byte, error)
}

// Options say what becomes of all members.
type Options struct {
	Dir     string                             // the archive unpacks into
	At      time.Time                          // date of all files
	Conceal func([]byte) (clean []byte, n int) // hides lines that hold a secret after all
}

// A Kept is a member as it is in the archive, or the reason why it is not.
type Kept struct {
	Member
	Size int    // 0: it is not there
	Note string // what is missing of it, and why
	text []byte
}

// Manifest is the name of the list of all members, the first file of the archive.
const Manifest = "manifest.txt"

// Write reads the members, in their order, and writes the archive: tar, packed by gzip.
func Write(ctx context.Context, w io.Writer, members []Member, o Options) ([]Kept, error) {
	all, left := make([]Kept, len(members)), MostTotal
	for i, m := range members {
		all[i] = m.keep(ctx, left, o.Conceal)
		left -= all[i].Size
	}
	out := newArchive(w, o.Dir, o.At)
	out.add(Manifest, manifest(all, o))
	for _, k := range all {
		if k.Size > 0 {
			out.add(k.Name, k.text)
		}
	}
	return all, out.close()
}

// keep reads one member, of which left bytes are taken at most.
func (m Member) keep(ctx context.Context, left int, conceal func([]byte) ([]byte, int)) Kept {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(m.Within, within))
	defer cancel()
	text, err := m.Read(ctx)
	k := Kept{Member: m}
	if err != nil {
		k.Note = err.Error()
	} else if len(text) == 0 {
		k.Note = "there is nothing"
	}
	text, n := conceal(text)
	if n > 0 {
		k.add("%d line(s) hidden, which looked like a key", n)
	}
	if most := min(cmp.Or(m.Most, mostMember), left); len(text) > most {
		k.add("cut off after %d of %d bytes", most, len(text))
		text = text[:most]
	}
	k.text, k.Size = text, len(text)
	return k
}

func (k *Kept) add(format string, args ...any) {
	if k.Note != "" {
		k.Note += "; "
	}
	k.Note += fmt.Sprintf(format, args...)
}

// manifest lists the members, those that are missing too.
func manifest(all []Kept, o Options) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Made %s. This is all there is; nothing else is in the archive.\n", o.At.UTC().Format(time.RFC3339))
	for _, k := range all {
		size := "NOT THERE"
		if k.Size > 0 {
			size = fmt.Sprintf("%d bytes", k.Size)
		}
		fmt.Fprintf(&b, "\n%s (%s)\n  holds: %s\n  for: %s\n", k.Name, size, k.Holds, k.Why)
		if k.Note != "" {
			fmt.Fprintf(&b, "  but: %s\n", printable(k.Note))
		}
	}
	return b.Bytes()
}

// join is errors.Join on one line.
func join(errs []error) error {
	var text string
	for _, err := range errs {
		if err == nil {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += err.Error()
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}
