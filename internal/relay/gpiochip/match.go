package gpiochip

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Match finds the line that an owner calls text:
//
//   - GPIO17: the line with that name; on a Raspberry Pi the header's GPIO17,
//     whatever the kernel calls it. Any other name of a line likewise;
//   - 17, P1_11: the line with that BCM number, or at that position of the header.
//     On other boards 17 is short for GPIO17;
//   - gpiochip0:17, pinctrl-rp1:17: an offset of a chip, given by name or label.
//
// It fails with *NoLineError, or with *AmbiguousError if two lines fit.
func Match(chips []Chip, text string) (Place, error) {
	s, err := parse(text)
	if err != nil {
		return Place{}, err
	}
	found := s.candidates(chips)
	switch len(found) {
	case 0:
		return Place{}, s.missing(chips)
	case 1:
		return found[0], nil
	}
	return Place{}, &AmbiguousError{Spec: text, Candidates: found}
}

func (s spec) candidates(chips []Chip) []Place {
	name := s.text
	if s.form == named || s.form == plain && s.bcm >= 0 && !slices.ContainsFunc(chips, isHeader) {
		name = "GPIO" + strconv.Itoa(s.bcm)
	}
	var found []Place
	for _, c := range chips {
		for offset, line := range c.Lines {
			if line.Name == name || line.Name == s.text && line.Name != "" ||
				c.onHeader(offset) && offset == s.bcm ||
				offset == s.offset && c.answersTo(s.chip) {
				found = append(found, c.place(offset))
			}
		}
	}
	return found
}

// place makes the Place of one of the chip's lines.
func (c Chip) place(offset int) Place {
	p := Place{Path: c.Path, Chip: c.Name, Label: c.Label, Offset: offset, Line: c.Lines[offset].Name, BCM: -1}
	if c.onHeader(offset) {
		p.BCM = offset
	}
	return p
}

func isHeader(c Chip) bool { return slices.Contains(headers, c.Label) }

// onHeader tells whether a line is one that a Raspberry Pi brings out. Beyond the
// 28 of the header that is so on compute modules only: on other boards those lines
// work something on the board, and bear its name.
func (c Chip) onHeader(offset int) bool {
	return isHeader(c) && (offset < 28 || c.Lines[offset].Name == "GPIO"+strconv.Itoa(offset))
}

// missing words why nothing was found.
func (s spec) missing(chips []Chip) error {
	pi := slices.ContainsFunc(chips, isHeader)
	switch {
	case s.offset >= 0:
		return s.missingOffset(chips)
	case s.bcm >= 0 && !pi && s.form != named:
		return &NoLineError{Spec: s.text, Why: "this is not a Raspberry Pi, so write the line's name, or chip:offset"}
	case s.bcm >= 28 && pi:
		return &NoLineError{Spec: s.text, Why: "this board brings out no such pin (a 40-pin header has 0 to 27)"}
	}
	text := s.text
	if s.form == named {
		text = "GPIO" + strconv.Itoa(s.bcm)
	}
	var names []string
	for _, c := range chips {
		for offset, line := range c.Lines {
			if c.onHeader(offset) || line.Name != "" {
				names = append(names, c.place(offset).Name())
			}
		}
	}
	return &NoLineError{Spec: s.text, Near: nearest(text, names)}
}

func (s spec) missingOffset(chips []Chip) error {
	var names []string
	for _, c := range chips {
		if c.answersTo(s.chip) {
			return &NoLineError{Spec: s.text, Why: fmt.Sprintf("%s has the lines 0 to %d", s.chip, len(c.Lines)-1)}
		}
		names = append(names, c.Name, c.Label)
	}
	return &NoLineError{Spec: s.text, Why: "there is no chip " + s.chip, Near: nearest(s.chip, names)}
}

// nearest picks the names that text may be a slip for, three at most, the best first.
func nearest(text string, names []string) []string {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return distance(text, name) > len(text)/2+1
	})
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(text, a), distance(text, b)),
			cmp.Compare(max(len(a)-len(text), len(text)-len(a)), max(len(b)-len(text), len(text)-len(b))))
	})
	return names[:min(3, len(names))]
}

// distance counts the slips of a typist that lead from a to b: a letter wrong,
// missing, too many, or two changed over.
func distance(a, b string) int {
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			wrong := 1
			if a[i] == b[j] {
				wrong = 0
			}
			row[j+1] = min(last[j]+wrong, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}
