package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"tasmota-azd/internal/relay/gpiochip"
)

// steps takes steps with one line.
func steps(chips []gpiochip.Chip, spec string, list []string) error {
	p, err := gpiochip.Match(chips, spec)
	if err != nil {
		fmt.Println(describe(err))
		return errors.New("no line")
	}
	h := &hand{chips: chips, place: p}
	failed := 0
	for _, text := range list {
		name, value, _ := strings.Cut(text, "=")
		if err := h.step(name, value); err != nil {
			fmt.Printf("%s: %s\n", name, describe(err))
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d steps failed", failed, len(list))
	}
	return nil
}

// A hand holds at most one line.
type hand struct {
	chips []gpiochip.Chip
	place gpiochip.Place
	line  *gpiochip.Line
}

func (h *hand) step(name, value string) (err error) {
	switch name {
	case "open":
		h.line, err = gpiochip.Request(h.place, output(value))
		return err
	case "take":
		h.line, err = gpiochip.Take(h.place, value == "high")
		return err
	case "sleep":
		d, err := time.ParseDuration(value)
		time.Sleep(d)
		return err
	case "sh":
		cmd := exec.Command("sh", "-c", value)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	case "pause":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
		<-asked
		return nil
	}
	if h.line == nil {
		return errors.New("no line is held")
	}
	return h.work(name, value)
}

// work takes a step that needs the line.
func (h *hand) work(name, value string) error {
	switch name {
	case "high", "low":
		return h.line.Out(name == "high")
	case "level":
		level, err := h.line.Level()
		if err == nil {
			fmt.Println("level:", level, h.line.Function())
		}
		return err
	case "configure":
		return h.line.Configure(output(value))
	case "adopt":
		return h.adopt(value)
	case "reopen":
		chips, err := gpiochip.List()
		if err != nil {
			return err
		}
		return h.line.Reopen(chips, output(value))
	case "release":
		return h.line.Release()
	case "close":
		return h.line.Close()
	}
	return errors.New("no such step")
}

// adopt has the line's file adopted, as if it came out of the store with that name.
func (h *hand) adopt(name string) error {
	chips, err := gpiochip.List()
	if err != nil {
		return err
	}
	fd, err := syscall.Dup(int(h.line.File().Fd()))
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	line, err := gpiochip.Adopt(chips, f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	fmt.Println("adopted:", line.Place(), line.Function(), "off", line.Off())
	return line.Close()
}

// output reads LEVEL or LEVEL,OFF.
func output(text string) gpiochip.Output {
	level, off, _ := strings.Cut(text, ",")
	return gpiochip.Output{Level: level == "high", Off: off == "high"}
}
