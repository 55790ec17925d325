package device

import (
	"fmt"
	"testing"
	"time"
)

func TestRecentForgetsAfterTwoDays(t *testing.T) {
	var r recent
	now := time.Now()
	r.add(now, "a")
	if !r.has(now.Add(47*time.Hour), "a") {
		t.Error("forgotten within two days")
	}
	if r.has(now.Add(49*time.Hour), "a") {
		t.Error("remembered after two days")
	}
	r.add(now.Add(49*time.Hour), "b")
	if len(r.order) != 1 || len(r.at) != 1 {
		t.Errorf("%d ids kept, want 1", len(r.order))
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	now := time.Now()
	for i := range 3 * rememberMost {
		r.add(now, fmt.Sprint(i))
	}
	if len(r.at) != rememberMost || len(r.order) != rememberMost {
		t.Errorf("%d ids kept, want %d", len(r.at), rememberMost)
	}
	if r.has(now, "0") || !r.has(now, fmt.Sprint(3*rememberMost-1)) {
		t.Error("the oldest must go first")
	}
}

func TestShortenKeepsCharactersWhole(t *testing.T) {
	long := ""
	for len(long) < 200 {
		long += "é"
	}
	got := shorten("x" + long)
	for _, r := range got {
		if r == '�' {
			t.Fatalf("cut within a character: %q", got)
		}
	}
	if shorten("short") != "short" {
		t.Error("a short text is changed")
	}
}
