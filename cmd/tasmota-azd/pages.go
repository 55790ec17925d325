package main

import (
	"os"
	"regexp"
	"strconv"
	"syscall"
)

// A stretch is memory that the kernel can read from the program's file again.
type stretch struct{ begin, length uintptr }

// programPages are those of the program's code and constants. They are asked for before
// noDump, which hides them from the daemon too. A kernel that does not tell what was
// written to leaves the code, which nobody writes to.
func programPages() []stretch {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	if text, err := os.ReadFile("/proc/self/smaps"); err == nil {
		return stretches(unwritten, string(text), program)
	}
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	return stretches(code, string(text), program)
}

// In smaps and in maps (proc_pid_maps(5)): what cannot be written to and was not, since a
// loader may have written to constants before it forbade that; and code.
var (
	unwritten = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) r-[x-]p .* (/.*)\n(?:\w+: .*\n)*?Anonymous: +0 kB`)
	code      = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) r-xp .* (/.*)$`)
)

// stretches are the mappings of a file that are of a kind.
func stretches(kind *regexp.Regexp, maps, file string) (list []stretch) {
	for _, m := range kind.FindAllStringSubmatch(maps, -1) {
		begin, err1 := strconv.ParseUint(m[1], 16, strconv.IntSize)
		end, err2 := strconv.ParseUint(m[2], 16, strconv.IntSize)
		if m[3] == file && err1 == nil && err2 == nil {
			list = append(list, stretch{uintptr(begin), uintptr(end - begin)})
		}
	}
	return list
}

// letGo takes what only the start has needed out of the daemon's memory. What is needed
// again, the kernel maps again, from its cache.
func letGo(pages []stretch) {
	for _, p := range pages {
		syscall.RawSyscall(syscall.SYS_MADVISE, p.begin, p.length, syscall.MADV_DONTNEED)
	}
}
