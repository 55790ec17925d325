package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/commands"
	"tasmota-azd/internal/twin"
)

// TestFilesAreGenerated: what is in the repository is what go generate makes.
func TestFilesAreGenerated(t *testing.T) {
	want := map[string]bool{}
	for _, i := range all() {
		text, err := encode(i)
		if err != nil {
			t.Fatal(err)
		}
		want[fileName(i)] = true
		if have, err := os.ReadFile(fileName(i)); err != nil || !bytes.Equal(have, text) {
			t.Fatalf("%s is not what the generator makes (%v): run go generate ./configs/dtdl", fileName(i), err)
		}
	}
	found, err := filepath.Glob("dtmi/*/*")
	if err != nil || len(found) != len(want) {
		t.Errorf("%d files, want %d (%v)", len(found), len(want), err)
	}
}

func TestExpanded(t *testing.T) {
	for _, n := range []int{1, 4, mostRelays} {
		var out bytes.Buffer
		if err := run([]string{string(jsonNumber(n))}, &out); err != nil {
			t.Fatal(err)
		}
		var list []struct {
			ID       string `json:"@id"`
			Extends  string `json:"extends"`
			Contents []struct {
				Type   string `json:"@type"`
				Name   string `json:"name"`
				Schema any    `json:"schema"`
			} `json:"contents"`
		}
		if err := json.Unmarshal(out.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if list[0].ID != twin.ModelID(n) {
			t.Errorf("the first is %s, the daemon announces %s", list[0].ID, twin.ModelID(n))
		}
		here := map[string]bool{"": true}
		for _, i := range list {
			here[i.ID] = true
		}
		for _, i := range list {
			names := map[string]bool{}
			for _, c := range i.Contents {
				if names[c.Name] || !regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9_]*[a-zA-Z0-9])?$`).MatchString(c.Name) {
					t.Errorf("%s: name %q", i.ID, c.Name)
				}
				names[c.Name] = true
				if id, ok := c.Schema.(string); c.Type == "Component" && (!ok || !here[id]) {
					t.Errorf("%s: component of %v, which is not there", i.ID, c.Schema)
				}
			}
			if !here[i.Extends] {
				t.Errorf("%s extends %s, which is not there", i.ID, i.Extends)
			}
		}
	}
	for _, bad := range []string{"0", "33", "x", ""} {
		if err := run([]string{bad}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q relays have a model", bad)
		}
	}
}

func jsonNumber(n int) []byte { b, _ := json.Marshal(n); return b }

// properties are the names and schemas of an interface's properties.
func properties(i Interface) map[string]any {
	all := map[string]any{}
	for _, c := range i.Contents {
		if c := c.(content); c.Type == "Property" {
			all[c.Name] = c.Schema
		}
	}
	return all
}

// TestModelIsWhatIsReported: each reported property is in the model, with its schema,
// but for what is for people; and what can be written is taken.
func TestModelIsWhatIsReported(t *testing.T) {
	state := twin.State{
		Relays: []twin.Relay{{On: true, Name: "Pump", Pin: "GPIO17"}, {Name: "Valve"}}, Memory: twin.Memory{},
		Daemon: twin.Daemon{Version: "1", Built: "2", Go: "3"}, Board: twin.Board{Model: "4", OS: "5"},
		Network: twin.Network{Hostname: "6", IP: "7", MAC: "8", SSID: "9"}, Failure: &twin.Failure{Text: "x", Cause: "y"},
	}
	for _, s := range (commands.Settings{}).List() {
		state.Settings = append(state.Settings, twin.Setting(s))
	}
	doc := state.Document()
	for _, forPeople := range []string{"relays", "settings"} {
		delete(doc, forPeople)
	}
	for r := range 2 {
		part := doc[twin.Component(r+1)].(map[string]any)
		if part["__t"] != "c" {
			t.Errorf("relay %d is no component", r+1)
		}
		delete(part, "__t")
		matches(t, part, properties(relay()))
		delete(doc, twin.Component(r+1))
	}
	matches(t, doc, properties(device()))

	for _, i := range []Interface{device(), relay()} {
		for _, c := range i.Contents {
			if c := c.(content); c.Writable {
				desired := map[string]any{c.Name: 1}
				if i.ID == relayID {
					desired = map[string]any{"relay1": map[string]any{"__t": "c", c.Name: true}}
				}
				text, _ := json.Marshal(desired)
				if todo, _, err := twin.Changes(text, nil, state.Settings); err != nil || len(todo) != 1 || todo[0].Err != nil {
					t.Errorf("%s is not taken: %v %v", text, todo, err)
				}
			}
		}
	}
}

// matches checks a part of the reported document against the schemas of the model.
func matches(t *testing.T, doc map[string]any, want map[string]any) {
	t.Helper()
	if have, names := slices.Sorted(maps.Keys(doc)), slices.Sorted(maps.Keys(want)); !slices.Equal(have, names) {
		t.Errorf("reported %v, the model has %v", have, names)
	}
	for name, schema := range want {
		if o, ok := schema.(map[string]any); ok {
			inner := map[string]any{}
			for _, f := range o["fields"].([]field) {
				inner[f.Name] = f.Schema
			}
			part, _ := doc[name].(map[string]any)
			matches(t, part, inner)
			continue
		}
		if got := kind(doc[name]); got != strings.Replace(schema.(string), "dateTime", "string", 1) {
			t.Errorf("%s is reported as %s, the model says %v", name, got, schema)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		return "integer"
	}
	return "nothing"
}
