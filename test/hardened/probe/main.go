// Probe tries what the daemon needs and what it must not be able to do, and tells what
// came of each: "needed NAME: ok", "forbidden NAME: operation not permitted". It is run
// by root, to show that it can do all of it, and in the confinement of the unit.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// An attempt is one thing to try. Each is made in a process of its own: some change it.
type attempt struct {
	name string
	try  func() error
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "try" {
		if err := one(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	tell("needed", needed)
	tell("forbidden", forbidden)
}

func tell(kind string, list []attempt) {
	for _, a := range list {
		out, err := exec.Command("/proc/self/exe", "try", a.name).CombinedOutput()
		result := strings.TrimSpace(string(out))
		switch {
		case err == nil:
			result = "ok"
		case result == "":
			result = err.Error()
		}
		fmt.Printf("%s %s: %s\n", kind, a.name, result)
	}
}

func one(name string) error {
	for _, list := range [][]attempt{needed, forbidden} {
		for _, a := range list {
			if a.name == name {
				return a.try()
			}
		}
	}
	return fmt.Errorf("no attempt is called %s", name)
}
