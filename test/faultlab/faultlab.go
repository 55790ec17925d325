// Package faultlab runs the built daemon between the stand-in of the cloud and a
// network that misbehaves, in the small kernel of test/uml, and judges what became of
// each command: none lost, none doubled, no relay that moves without a cause.
//
// The program in driver is what runs in the kernel. It sends commands that are
// numbered, brings one fault after the other about, and hands an Observation out.
// The judging is here, as a function of it.
package faultlab

import "time"

// A Fault is one row of the table.
type Fault struct {
	Name   string // the driver knows what to do by it
	Does   string // in words, for the document
	Times  int    // how often it comes about in one boot
	Rounds int    // boots
}

// Faults are all rows, in the order of the table, with the numbers of the long form.
var Faults = []Fault{
	{"none", "nothing is wrong", 2, 1},
	{"loss 5 %", "of the packets, in each direction", 2, 3},
	{"loss 20 %", "of the packets, in each direction", 2, 3},
	{"delay", "300 ms ± 200 ms in each direction, which also reorders", 2, 3},
	{"reorder", "a quarter of the packets overtakes 50 ms of others", 2, 3},
	{"corrupt", "one bit of every twentieth packet is turned over", 2, 3},
	{"64 kbit/s", "in each direction", 2, 3},
	{"MTU black hole", "packets over 576 bytes vanish, and nobody is told", 2, 3},
	{"one-way drop, up", "nothing leaves the device", 2, 3},
	{"one-way drop, down", "nothing reaches the device", 2, 3},
	{"RST storm", "every fifth packet is answered by a reset", 2, 3},
	{"DNS lies", "the link is cut, and the hub's name leads elsewhere, nowhere, or to no answer", 3, 3},
	{"hub restarts", "the stand-in is killed with SIGKILL, and starts again", 5, 2},
	{"kill -9", "of the daemon, while commands come in; it starts again after the 10 s of the unit", 10, 10},
	{"clock steps", "the system clock jumps by minutes to decades, and every other time the daemon is killed", 5, 2},
	{"disk full", "the state directory takes no byte, and the link is cut", 2, 3},
	{"read-only state directory", "no file can be made in it; every other time the daemon is killed and starts on a read-only file system", 4, 2},
}

// An Observation is what the driver saw in one round.
type Observation struct {
	Commands   []Command       // in the order in which the hub took them
	Edges      []Edge          // changes of the level of pins, in order
	Records    []Record        // the daemon's own record of causes, in order
	Answers    []Answer        // as the hub got them, in order
	Waits      []time.Duration // of the commands that were answered, until the first answer
	Recoveries []time.Duration // for each fault, from its end until a command sent then was answered, and all before
	Faults     int             // how many there were
}

// A Command is one message for the device. One with a pin changes its level.
type Command struct {
	ID  string // its message id
	Pin string // empty for a question
}

// An Edge is the change of a pin's level.
type Edge struct {
	Pin string
	On  bool
}

// A Record is why a relay moved, according to the daemon.
type Record struct {
	Edge
	Cause string // message id of the command, or what else it was, in brackets
}

// An Answer is a message of the device that correlates with a command.
type Answer struct {
	Command string // message id of the command
	ID      string // its own message id, the same one when it is sent again
	Topic   string
}

// A Wear is what the daemon has its disk write.
type Wear struct {
	Commands int // that came meanwhile
	For      time.Duration
	Bytes    int64 // with all that the file system adds
	Writes   int
}

// Remains are what a start finds after a loss of power.
type Remains struct {
	Known []string // ids of the commands that it would not run again
	On    bool     // the relay
}
