package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A measurement is a command that prints figures.
type measurement struct {
	command string // as one types it, in the project's folder
	figures []figure
}

// A figure is to be found in a command's output.
type figure struct {
	name    string
	pattern string  // its first group is the figure, and a second one what it is to equal
	unit    string  // behind the figure, as " MiB"
	most    float64 // target: at most this
	aimed   bool    // whether there is one
}

// A verdict says whether a target is reached.
type verdict string

const (
	met    verdict = "met"
	missed verdict = "NOT MET"
	none   verdict = ""
)

// A row is one line of the report.
type row struct {
	name, value, target string
	verdict             verdict
	command             string
}

// rows takes the figures from a command's output. It may have failed, and yet printed them.
func (m measurement) rows(output string, failed error) []row {
	var list []row
	for _, f := range m.figures {
		r := row{name: f.name, command: m.command, target: f.target()}
		found := f.worst(regexp.MustCompile(`(?m)`+f.pattern).FindAllStringSubmatch(strings.ReplaceAll(output, "\r", ""), -1))
		if found == nil {
			r.value = "NOT MEASURED: " + missing(output, failed)
		} else {
			r.value = grouped(found[1]) + f.unit
			r.verdict = f.judge(found)
		}
		if len(found) > 2 {
			r.value, r.target = found[1]+" of "+found[2], "all"
		}
		list = append(list, r)
	}
	return list
}

// worst is the match with the largest number, if several tests print a figure.
func (f figure) worst(matches [][]string) (found []string) {
	most := math.Inf(-1)
	for _, m := range matches {
		if value, err := strconv.ParseFloat(m[1], 64); err == nil && value > most {
			most, found = value, m
		}
	}
	return found
}

func (f figure) target() string {
	if !f.aimed {
		return ""
	}
	return "≤ " + grouped(strconv.FormatFloat(f.most, 'f', -1, 64)) + f.unit
}

// judge compares what was found with the target.
func (f figure) judge(found []string) verdict {
	value, err := strconv.ParseFloat(found[1], 64)
	switch {
	case len(found) > 2 && found[1] == found[2], f.aimed && err == nil && value <= f.most:
		return met
	case len(found) > 2, f.aimed:
		return missed
	}
	return none
}

// missing says why a command has not printed a figure.
func missing(output string, failed error) string {
	if m := regexp.MustCompile(`(?:SKIPPED|NOT TESTED)[,:] (.*)`).FindStringSubmatch(output); m != nil {
		return m[1]
	}
	if failed != nil {
		return fmt.Sprintf("the command ends with %v", failed)
	}
	return "the command does not print it"
}

// grouped writes 9371810 as 9,371,810.
func grouped(number string) string {
	whole, part, _ := strings.Cut(number, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		return whole + "." + part
	}
	return whole
}
