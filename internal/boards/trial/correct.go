package trial

import (
	"fmt"
	"strings"

	"tasmota-azd/internal/boards"
)

// Correct returns the entries with the pins and polarities that were found, in
// the same order under the same names. Where the findings leave a doubt it says
// so in words, and an entry whose pin is not known has none.
func Correct(entries []boards.Entry, findings []Finding) (corrected []boards.Entry, doubts []string) {
	movers := make([][]int, len(entries)) // of each relay: the pins that moved it
	for i, f := range findings {
		if f.Tested && f.Relay >= 0 {
			movers[f.Relay] = append(movers[f.Relay], i)
		}
	}
	for j, e := range entries {
		was, doubt := e.Pin, ""
		switch by := movers[j]; {
		case len(by) == 1:
			e.Pin, e.Active = entries[by[0]].Pin, findings[by[0]].Active
		case len(by) > 1:
			e.Pin = ""
			doubt = fmt.Sprintf("%s clicked for more than one pin, %s; test these again", e.Name, pins(entries, by))
		case findings[j].Tested && findings[j].Relay >= 0:
			e.Pin = ""
			doubt = fmt.Sprintf("%s clicked for no pin, and its own, %s, moves %s", e.Name, was, entries[findings[j].Relay].Name)
		case findings[j].Tested:
			doubt = fmt.Sprintf("nothing clicked for %s on %s; see whether it is wired there and the board has its supply", e.Name, was)
		default:
			doubt = fmt.Sprintf("%s on %s was not tested", e.Name, was)
		}
		e.Comment = comment(was, e)
		corrected = append(corrected, e)
		if doubt != "" {
			doubts = append(doubts, doubt)
		}
	}
	return corrected, doubts
}

// comment says what is new about a pin.
func comment(was string, e boards.Entry) string {
	switch {
	case e.Pin == "" || e.Active == boards.Unknown:
		return "not known; " + was + " before"
	case e.Pin != was:
		return was + " before"
	}
	return ""
}

func pins(entries []boards.Entry, which []int) string {
	var names []string
	for _, i := range which {
		names = append(names, entries[i].Pin)
	}
	return strings.Join(names, " and ")
}

// Same tells whether two lists have the same pins and polarities.
func Same(a, b []boards.Entry) bool {
	for i := range a {
		if a[i].Pin != b[i].Pin || a[i].Active != b[i].Active {
			return false
		}
	}
	return true
}
