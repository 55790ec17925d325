package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// unknown notes a key that is not one of names, with what may be meant by it.
func (b *book) unknown(key *yaml.Node, path string, names []string) {
	if b.full() {
		return
	}
	if secretive(key.Value) {
		b.note(key.Line, path, "what stands here looks like a key or a connection string; write before it what it is, and a colon")
		return
	}
	advice := b.guess(key.Value, path, names)
	if advice == "" {
		advice = "the keys here are " + strings.Join(names, ", ")
	}
	b.note(key.Line, join(path, shortKey(key.Value)), "unknown key; "+advice)
}

// guess says which key may be meant, and excuses it from being missing.
func (b *book) guess(key, path string, names []string) string {
	near := nearest(key, names)
	sections := sectionsWith(key)
	if len(sections) > 0 && plainKey(near) != plainKey(key) {
		var places []string
		for _, s := range sections {
			b.excuse(join(s, spelled(key, s)))
			places = append(places, place(s))
		}
		return "it belongs " + oneOf(places)
	}
	if near == "" {
		return ""
	}
	b.excuse(join(path, near))
	return fmt.Sprintf("did you mean %s?", near)
}

// spelled returns how key is written in a section that has it.
func spelled(key, section string) string {
	for s, name := range known() {
		if s == section && plainKey(name) == plainKey(key) {
			return name
		}
	}
	return key
}

// place says where in the file the keys of a section stand.
func place(section string) string {
	switch section {
	case "":
		return "at the left margin, in no section"
	case "relays[]":
		return "in an entry of relays:"
	}
	return "under " + section + ":"
}

// shortKey is a key for the path of a message.
func shortKey(key string) string {
	if quoted := quote(key); quoted != `"`+key+`"` || strings.ContainsAny(key, " :") {
		return quoted
	}
	return key
}

// plainKey takes from a key what people write in one way or another.
func plainKey(key string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(key))
}

// nearest returns the one of words that text was most probably meant to be,
// or "" if it resembles none.
func nearest(text string, words []string) string {
	best, bestDistance := "", 0
	for _, word := range words {
		d, ok := resembles(plainKey(text), plainKey(word))
		if ok && (best == "" || d < bestDistance) {
			best, bestDistance = word, d
		}
	}
	return best
}

// resembles reports whether a is probably a mistyped b, and how far off.
func resembles(a, b string) (int, bool) {
	const longest = 64
	if len(a) > longest || len(a) < 2 {
		return 0, false
	}
	d := distance([]rune(a), []rune(b))
	if len(a) >= 3 && len(b) >= 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return d, true
	}
	return d, d <= max(1, len(b)/3)
}

// distance is how many letters have to be changed, added, removed or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b []rune) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// oneOf lists words for a message: a, b or c.
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
