package main

import (
	"os"
	"slices"
	"testing"
)

func TestUnwrittenPages(t *testing.T) {
	const smaps = `00010000-00450000 r-xp 00000000 b3:00 7684                               /usr/bin/tasmota-azd
Size:               4352 kB
Rss:                4352 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00450000-00932000 r--p 00440000 b3:00 7684                               /usr/bin/tasmota-azd
Rss:                5000 kB
Anonymous:            12 kB
00940000-009a8000 rw-p 00930000 b3:00 7684                               /usr/bin/tasmota-azd
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 b3:00 7685                       /usr/lib/libc.so
Anonymous:             0 kB
7f0000002000-7f0000003000 r--p 00000000 00:00 0 
Anonymous:             0 kB
`
	const maps = `00010000-00450000 r-xp 00000000 b3:00 7684                               /usr/bin/tasmota-azd
00450000-00932000 r--p 00440000 b3:00 7684                               /usr/bin/tasmota-azd
00940000-009a8000 rw-p 00930000 b3:00 7684                               /usr/bin/tasmota-azd
7f0000000000-7f0000001000 r-xp 00000000 b3:00 7685                       /usr/lib/libc.so
`
	want := []stretch{{0x10000, 0x440000}}
	if got := stretches(unwritten, smaps, "/usr/bin/tasmota-azd"); !slices.Equal(got, want) {
		t.Errorf("smaps: %#x, want %#x", got, want)
	}
	if got := stretches(code, maps, "/usr/bin/tasmota-azd"); !slices.Equal(got, want) {
		t.Errorf("maps: %#x, want %#x", got, want)
	}
}

// The program goes on without its pages.
func TestLetGo(t *testing.T) {
	pages := programPages()
	if len(pages) == 0 {
		text, err := os.ReadFile("/proc/self/smaps")
		t.Fatalf("none found: %v\n%.2000s", err, text)
	}
	letGo(pages)
	if again := programPages(); len(again) != len(pages) {
		t.Errorf("%d stretches, then %d", len(pages), len(again))
	}
}
