package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"syscall"
)

// MaxLog is the size of the largest log that is read, in bytes.
const MaxLog = 8 << 20

// A Log is a file of JSON records that grows at its end. Each line is one record:
// a checksum, a number that rises by one, the value. What a process appended
// survives its end, however that comes; a line that a loss of power cut short is
// left out when the file is read, and no other.
//
// A Log is for one goroutine at a time.
type Log struct {
	store *Store
	name  string
	file  *os.File
	size  int64
	torn  bool // the last write was cut short, and what it left could not be removed
	last  uint64
	line  []byte // used again for each append
}

// A Record is one line of a Log.
type Record struct {
	Number uint64
	Value  json.RawMessage
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenLog opens or makes the log called name and returns what is in it. Numbers go
// on behind the last one there, and behind after. Lines that cannot be read are left
// out with a warning; a torn last one is cut off. A file that is none of ours is set
// aside.
func (s *Store) OpenLog(name string, after uint64) (*Log, []Record, error) {
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	data, err := s.readUpTo(name, MaxLog)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errUnusable):
		s.setAside(name, err)
	case err != nil:
		return nil, nil, fmt.Errorf("reading the state: %w", err)
	}
	l := &Log{store: s, name: name, last: after}
	records, bad := l.parse(data)
	if bad > 0 {
		s.log.Warn("state file has lines that cannot be read; they are left out", "file", name, "lines", bad)
	}
	if l.file, err = s.openAppend(name); err == nil && l.size < int64(len(data)) {
		err = l.file.Truncate(l.size)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = nil // appending will say so, and work when there is room again
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the state: %w", err)
	}
	return l, records, nil
}

func (s *Store) openAppend(name string) (*os.File, error) {
	return s.root.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// parse reads the lines of a log, and sets where it ends. What stands behind the
// last newline was cut short.
func (l *Log) parse(data []byte) (records []Record, bad int) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return records, bad + 1
		}
		if r, ok := parseLine(data[:end]); ok && (len(records) == 0 || r.Number > records[len(records)-1].Number) {
			records = append(records, r)
			l.last = max(l.last, r.Number)
		} else {
			bad++
		}
		l.size += int64(end) + 1
		data = data[end+1:]
	}
	return records, bad
}

// parseLine reads "<checksum> <number> <value>".
func parseLine(line []byte) (Record, bool) {
	if len(line) < 9 || line[8] != ' ' {
		return Record{}, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || crc32.Checksum(line[9:], castagnoli) != uint32(sum) {
		return Record{}, false
	}
	number, value, ok := bytes.Cut(line[9:], []byte(" "))
	n, err := strconv.ParseUint(string(number), 10, 63)
	return Record{Number: n, Value: value}, ok && err == nil && n > 0
}

// Last returns the number of the newest record, or what the numbers go on behind.
func (l *Log) Last() uint64 { return l.last }

// Size returns the length of the file in bytes.
func (l *Log) Size() int64 { return l.size }

// Append writes value, which is JSON on one line, as one record, with one call of the
// system. After an error the log is as before.
func (l *Log) Append(value []byte) error {
	l.line = l.line[:0]
	if l.torn {
		l.line = append(l.line, '\n') // what is torn is a line of its own, and left out
	}
	l.line = appendLine(l.line, l.last+1, value)
	if err := l.write(l.line); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	l.store.soil(l.name, l.size == 0)
	l.size += int64(len(l.line))
	l.last++
	l.torn = false
	return nil
}

func (l *Log) write(line []byte) (err error) {
	if l.file == nil { // there was no room for it
		if l.file, err = l.store.openAppend(l.name); err != nil {
			l.file = nil
			return err
		}
	}
	n, err := l.file.Write(line)
	if err != nil && n > 0 {
		if cut := l.file.Truncate(l.size); cut != nil {
			l.torn, l.size = true, l.size+int64(n)
			err = errors.Join(err, cut)
		}
	}
	return err
}

// Rewrite replaces all records by these, which get new numbers. It uses each value only
// until the next. After an error the log is as before.
func (l *Log) Rewrite(values iter.Seq[[]byte]) error {
	data := make([]byte, 0, l.size) // it is rewritten to become shorter
	last := l.last
	for v := range values {
		last++
		data = appendLine(data, last, v)
	}
	if len(data) > MaxLog {
		return fmt.Errorf("rewriting %s: %d bytes are more than the %d a log may have", l.name, len(data), MaxLog)
	}
	if err := l.store.replace(l.name, data); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	old := l.file
	l.file, l.size, l.last, l.torn = nil, int64(len(data)), last, false
	if old != nil {
		_ = old.Close() // nothing was buffered
	}
	file, err := l.store.openAppend(l.name)
	if err != nil {
		return fmt.Errorf("opening the state: %w", err)
	}
	l.file = file
	return nil
}

// Close closes the file; Store.Sync has what was appended.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// appendLine adds one line to b.
func appendLine(b []byte, number uint64, value []byte) []byte {
	start := len(b)
	b = strconv.AppendUint(append(b, "00000000 "...), number, 10)
	b = append(append(b, ' '), value...)
	sum := crc32.Checksum(b[start+9:], castagnoli)
	const hex = "0123456789abcdef"
	for i := range 8 {
		b[start+i] = hex[sum>>(28-4*i)&15]
	}
	return append(b, '\n')
}
