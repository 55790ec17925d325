// Package sim simulates the pins of a 40-pin header, for people and tests
// without hardware.
//
// A Board is a directory. Each pin that was driven has a file there, called by
// its proper name such as GPIO17, which holds the electrical level, "0" or "1",
// and nothing else. Like the latch of a real chip it keeps the level after the
// program has ended. The file edges.log gets one line for every level driven:
//
//	<unix nanoseconds> <pin> <level>
package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"tasmota-azd/internal/relay/header"
)

// A Board is a simulated header. It and its pins belong to one goroutine.
type Board struct {
	dir   string
	edges *os.File
}

// Open returns the board in dir, which is created if it is missing.
func Open(dir string) (*Board, error) {
	err := os.MkdirAll(dir, 0o755)
	if err != nil {
		return nil, fmt.Errorf("simulated pins: %w", err)
	}
	b := &Board{dir: dir}
	b.edges, err = os.OpenFile(filepath.Join(dir, "edges.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("simulated pins: %w", err)
	}
	return b, nil
}

// Pin returns the pin of that name, GPIO17, 17 or P1_11, or nil if there is
// none. It moves nothing and makes no file for it yet.
func (b *Board) Pin(name string) gpio.PinOut {
	proper, ok := header.Proper(name)
	if !ok {
		return nil
	}
	return &Pin{board: b, name: proper}
}

// Names returns the names of all pins, for suggestions.
func (b *Board) Names() []string { return header.Names() }

// About says what the board is, for a log.
func (b *Board) About() string { return "simulated in " + b.dir }

// record appends one line to edges.log.
func (b *Board) record(pin string, level byte) error {
	line := strconv.AppendInt(make([]byte, 0, 32), time.Now().UnixNano(), 10)
	line = append(line, ' ')
	line = append(line, pin...)
	line = append(line, ' ', level, '\n')
	_, err := b.edges.Write(line)
	return err
}

// A Pin is one simulated pin. It implements gpio.PinOut.
type Pin struct {
	board *Board
	name  string
	file  *os.File // opened by the first Out
}

var _ gpio.PinOut = (*Pin)(nil)

// Out drives the level: one line in edges.log, then one byte in the pin's file.
func (p *Pin) Out(l gpio.Level) error {
	level := byte('0')
	if l {
		level = '1'
	}
	if err := p.open(); err != nil {
		return bare(err)
	}
	if err := p.board.record(p.name, level); err != nil {
		return err
	}
	_, err := p.file.WriteAt([]byte{level}, 0)
	return bare(err)
}

// open claims the pin and leaves its level as it is. A file somebody wrote by
// hand may end in a newline, which has no place there.
func (p *Pin) open() error {
	if p.file != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(p.board.dir, p.name), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 1 {
		err = f.Truncate(1)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p.file = f
	return nil
}

// bare drops the path from an error: who reports it knows the pin.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Halt gives the pin free and leaves its level as it is. Out claims it again.
func (p *Pin) Halt() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

// Name returns the proper name, such as GPIO17.
func (p *Pin) Name() string { return p.name }

// String returns the proper name.
func (p *Pin) String() string { return p.name }

// Number returns the GPIO number.
func (p *Pin) Number() int {
	n, _ := strconv.Atoi(p.name[len("GPIO"):]) // a proper name has one
	return n
}

// Function returns what the pin does: it is an output.
func (p *Pin) Function() string { return "OUT" }

// PWM fails: a simulated pin has two levels and nothing between.
func (p *Pin) PWM(gpio.Duty, physic.Frequency) error {
	return errors.New("a simulated pin has no PWM")
}
