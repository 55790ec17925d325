package edit_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tasmota-azd/configs"
	"tasmota-azd/internal/config"
	"tasmota-azd/internal/config/edit"
)

// toDPS is what enrolling does to a file, and key is the secret that is not to stay in it.
var toDPS = []edit.Change{
	{Section: "dps", Key: "scope_id", Value: "0ne00223A39"},
	{Section: "dps", Key: "registration_id", Value: "pump-1"},
	{Section: "dps", Key: "key_file", Value: "device.key"},
	{Section: "dps", Key: "key_kind", Value: "individual"},
	{Section: "dps", Key: "key", Remove: true, Secret: true},
	{Section: "hub", Key: "host", Remove: true},
	{Section: "hub", Key: "key_file", Remove: true},
	{Section: "hub", Key: "key", Remove: true, Secret: true},
	{Section: "hub", Key: "connection_string", Remove: true, Secret: true},
}

const key = "c2FtcGxlIG9ubHksIG5vdCBhIHJlYWwga2V5ISEhISE="

func TestApply(t *testing.T) {
	set := func(section, key, value string) edit.Change {
		return edit.Change{Section: section, Key: key, Value: value}
	}
	drop := func(section, key string) edit.Change { return edit.Change{Section: section, Key: key, Remove: true} }
	wipe := func(section, key string) edit.Change {
		return edit.Change{Section: section, Key: key, Remove: true, Secret: true}
	}
	for name, tt := range map[string]struct {
		text   string
		change edit.Change
		want   string
	}{
		"value":                  {"dps:\n  scope_id: a # mine\n", set("dps", "scope_id", "bc"), "dps:\n  scope_id: bc # mine\n"},
		"quoted":                 {"dps:\n  'scope_id' : \"a # b\"   # mine\n", set("dps", "scope_id", "bc"), "dps:\n  'scope_id' : bc   # mine\n"},
		"needs quotes":           {"dps:\n  scope_id: a\n", set("dps", "scope_id", "0ne1"), "dps:\n  scope_id: \"0ne1\"\n"},
		"empty":                  {"dps:\n  scope_id:   # mine\n  key_kind: group\n", set("dps", "scope_id", "bc"), "dps:\n  scope_id: bc   # mine\n  key_kind: group\n"},
		"null":                   {"dps:\n  scope_id: ~\n", set("dps", "scope_id", "bc"), "dps:\n  scope_id: bc\n"},
		"next line":              {"dps:\n  scope_id:\n    a\n  key_kind: group\n", set("dps", "scope_id", "bc"), "dps:\n  scope_id: bc\n  key_kind: group\n"},
		"folded":                 {"dps:\n  scope_id: >-\n    a\n\n  # c\n  key_kind: group\n", set("dps", "scope_id", "bc"), "dps:\n  scope_id: bc\n\n  # c\n  key_kind: group\n"},
		"new":                    {"dps:\n  # mine\n  scope_id: a\n", set("dps", "key_kind", "group"), "dps:\n  key_kind: group\n  # mine\n  scope_id: a\n"},
		"shown":                  {"dps:\n  scope_id: a\n  #key_kind: group\n", set("dps", "key_kind", "individual"), "dps:\n  scope_id: a\n  key_kind: individual\n"},
		"shown elsewhere":        {"dps:\n  scope_id: a\nlog:\n  #key_kind: group\n", set("dps", "key_kind", "individual"), "dps:\n  key_kind: individual\n  scope_id: a\nlog:\n  #key_kind: group\n"},
		"shown in a text":        {"dps:\n  scope_id: |\n    x\n  #key_kind: y\n", set("dps", "key_kind", "group"), "dps:\n  scope_id: |\n    x\n  key_kind: group\n"},
		"empty section":          {"dps:\nlog: {}\n", set("dps", "key_kind", "group"), "dps:\n  key_kind: group\nlog: {}\n"},
		"empty section, shown":   {"dps:\n    # c\n    #key_kind: x\nlog: {}\n", set("dps", "key_kind", "group"), "dps:\n    # c\n    key_kind: group\nlog: {}\n"},
		"null section":           {"dps: null # none\n", set("dps", "key_kind", "group"), "dps:  # none\n  key_kind: group\n"},
		"no section":             {"log: {level: info}", set("dps", "key_kind", "group"), "log: {level: info}\ndps:\n  key_kind: group\n"},
		"no text":                {"", set("dps", "key_kind", "group"), "dps:\n  key_kind: group\n"},
		"comments alone":         {"# c\n", set("dps", "key_kind", "group"), "# c\ndps:\n  key_kind: group\n"},
		"line ends":              {"dps:\r\n  scope_id: a\r\n", set("dps", "key_kind", "group"), "dps:\r\n  key_kind: group\r\n  scope_id: a\r\n"},
		"deep":                   {"dps:\n        scope_id: a\n", set("dps", "key_kind", "group"), "dps:\n        key_kind: group\n        scope_id: a\n"},
		"off":                    {"hub:\n  host: h.example # mine\n  port: 1\n", drop("hub", "host"), "hub:\n  #host: h.example # mine\n  port: 1\n"},
		"wiped":                  {"hub:\n  key: abc # mine\n  port: 1\n", wipe("hub", "key"), "hub:\n  # mine\n  port: 1\n"},
		"wiped, quoted":          {"hub:\n  key: 'abc # d'\n  port: 1\n", wipe("hub", "key"), "hub:\n  port: 1\n"},
		"wiped, folded":          {"hub:\n  key: >-\n      abc\n      def\n\n  # c\n  port: 1\n", wipe("hub", "key"), "hub:\n\n  # c\n  port: 1\n"},
		"wiped, last":            {"hub:\n  key: abc", wipe("hub", "key"), "hub:\n"},
		"nothing to remove":      {"hub:\n  host:\n", drop("hub", "host"), "hub:\n  host:\n"},
		"braces":                 {"hub: {host: a, port: 1} # c\n", set("hub", "host", "bc"), "hub: {host: bc, port: 1} # c\n"},
		"braces, new":            {"hub: {port: 1}\n", set("hub", "host", "bc"), "hub: {host: bc, port: 1}\n"},
		"braces, none":           {"hub: {}\n", set("hub", "host", "bc"), "hub: {host: bc}\n"},
		"braces, quotes":         {"hub: {host: 'a, {b', port: 1}\n", set("hub", "host", "bc"), "hub: {host: bc, port: 1}\n"},
		"braces, off":            {"hub: {host: a, port: 1}\n", drop("hub", "host"), "hub: {port: 1}\n"},
		"braces, last off":       {"hub: {port: 1, host: it's }\n", drop("hub", "host"), "hub: {port: 1  }\n"},
		"braces, only":           {"hub: {host: a}\n", drop("hub", "host"), "hub: {}\n"},
		"braces, null":           {"hub: {host: , port: 1}\n", set("hub", "host", "bc"), "hub: {host: bc , port: 1}\n"},
		"braces, bare":           {"hub: {host, port: 1}\n", set("hub", "host", "bc"), "hub: {host: bc, port: 1}\n"},
		"braces over lines":      {"hub: {\n  host: a, # c}\n  port: 1,\n}\n", set("hub", "host", "bc"), "hub: {\n  host: bc, # c}\n  port: 1,\n}\n"},
		"braces over lines, off": {"hub: {\n  host: a, # c}\n  port: 1\n}\n", drop("hub", "port"), "hub: {\n  host: a # c}\n  \n}\n"},
		"JSON":                   {`{"hub": {"host":"a","port":1}}`, set("hub", "host", "bc"), `{"hub": {host: bc,"port":1}}`},
		"JSON, new":              {`{"hub": {"host":"a"}}`, set("dps", "key_kind", "group"), `{dps: {key_kind: group}, "hub": {"host":"a"}}`},
		"wide characters":        {"hub: {\"user\": \"ä€𝄞\", host: a}\n", set("hub", "host", "bc"), "hub: {\"user\": \"ä€𝄞\", host: bc}\n"},
		"a document":             {"---\nhub:\n  host: a\n", set("hub", "port", "bc"), "---\nhub:\n  port: bc\n  host: a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := edit.Apply(tt.text, []edit.Change{tt.change})
			if err != nil || got != tt.want {
				t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, tt.want)
			}
		})
	}
}

// What is not understood is refused, and never half done.
func TestRefused(t *testing.T) {
	for text, want := range map[string]error{
		"dps: {":                                edit.ErrSyntax,
		"- a\n":                                 edit.ErrSyntax,
		"a":                                     edit.ErrSyntax,
		"dps:\n  scope_id: a\n...\n":            edit.ErrLayout, // the section hub is not at its end then
		"dps: [a]\n":                            edit.ErrLayout,
		"dps:\n  ? scope_id\n  : a\n":           edit.ErrLayout,
		"dps:\n  scope_id: {a: b}\n":            edit.ErrLayout,
		"{dps: }":                               edit.ErrLayout,
		"dps:\n  key: &a b\nhub:\n  host: *a\n": edit.ErrLayout,
	} {
		got, made, err := edit.Apply(text, append(toDPS, edit.Change{Section: "log", Key: "level", Value: "info"}))
		if !errors.Is(err, want) || got != "" || made != nil {
			t.Errorf("%q: %v, %q; want %v", text, err, got, want)
		}
	}
}

// TestSample: the sample loses none of its explanations, and what it shows as a comment
// comes into effect in its place.
func TestSample(t *testing.T) {
	text, made, err := edit.Apply(configs.Sample, toDPS)
	if err != nil || len(made) != 5 {
		t.Fatal(err, made)
	}
	keptComments(t, configs.Sample, text)
	if a, b := strings.Count(configs.Sample, "\n"), strings.Count(text, "\n"); a != b {
		t.Errorf("%d lines, were %d", b, a)
	}
	cfg, err := config.ParseWith(strings.NewReader(text), "config.yaml", "device.key", key)
	if err != nil || cfg.DPS.ScopeID != "0ne00223A39" || cfg.DPS.RegistrationID != "pump-1" || cfg.DPS.KeyKind != config.Individual || cfg.DPS.Key.IsZero() {
		t.Errorf("%v: %+v", err, cfg.DPS)
	}
	again, made, err := edit.Apply(text, toDPS)
	if err != nil || len(made) != 0 || again != text {
		t.Errorf("a second time: %v, %v", made, err)
	}
}

// keptComments fails if a line that explains is lost, or not in its order.
func keptComments(t *testing.T, before, after string) {
	t.Helper()
	rest := strings.Split(after, "\n")
	for line := range strings.SplitSeq(before, "\n") {
		if !strings.HasPrefix(strings.TrimLeft(line, " "), "# ") {
			continue
		}
		for len(rest) > 0 && rest[0] != line {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Fatalf("the line %q is lost, or not in its place, in\n%s", line, after)
		}
	}
}

// FuzzApply: whatever the layout, either nothing is done, or the file is in order, says
// the new and all of the old that it is to say, and holds no secret any more.
func FuzzApply(f *testing.F) {
	seeds, err := filepath.Glob("../../../packaging/examples/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatal(seeds, err)
	}
	for _, s := range seeds {
		text, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(configs.Sample)
	for _, s := range []string{
		"hub: {key: " + key + ", host: h.example.net} # c\nrelays: [{name: a, pin: GPIO1}]\nntp: {servers: []}\n",
		"{\"hub\":{\"host\":\"h.example.net\",\"key\":\"" + key + "\"},\"relays\":[{\"name\":\"a\",\"pin\":\"GPIO1\"}]}",
		"hub:\n  connection_string: >-\n    HostName=h.example.net;DeviceId=a;\n    SharedAccessKey=" + key + "\n# c\nrelays:\n- name: \"a # b\"\n  pin: 5\ndps:\n",
		"dps:\r\n  # c\r\n  key: \"" + key + "\"   # d\r\n  scope_id: x\r\nrelays:\r\n  - {pin: 1, name: 'it''s'}\r\nlog:\r\n",
		"relays: [{name: a, pin: GPIO1}]\nhub:\n  'host': 'h.example.net'\n  key:\n    " + key + "\n\n  # c\n  keep_alive: 5s\n...\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		got, _, err := edit.Apply(text, toDPS)
		if err != nil {
			return
		}
		again, made, err := edit.Apply(got, toDPS)
		if err != nil || len(made) != 0 || again != got {
			t.Fatalf("a second time: %v, %v\n%s", made, err, got)
		}
		for _, path := range [][2]string{{"hub", "host"}, {"hub", "key"}, {"hub", "connection_string"}, {"dps", "key"}} {
			if v := edit.Value(got, path[0], path[1]); v != "" {
				t.Fatalf("%s.%s: %q\n%s", path[0], path[1], v, got)
			}
		}
		old, errOld := config.ParseWith(strings.NewReader(text), "c.yaml", "device.key", key)
		if errOld != nil {
			return
		}
		cfg, err := config.ParseWith(strings.NewReader(got), "c.yaml", "device.key", key)
		if err != nil {
			if strings.Contains(err.Error(), "cert") || strings.Contains(err.Error(), "secondary") { // which toDPS leaves alone
				return
			}
			t.Fatalf("%v\n%s\nwas\n%s", err, got, text)
		}
		d := cfg.DPS
		if d.ScopeID != "0ne00223A39" || d.RegistrationID != "pump-1" || d.KeyKind != config.Individual || d.Key.IsZero() {
			t.Fatalf("%+v\n%s", d, got)
		}
		for _, c := range []*config.Config{&old, &cfg} { // all else is as it was
			c.PinLines, c.Credentials, c.Secrets = nil, nil, nil // where things stand
			c.Warnings, c.DPS, c.Hub = nil, config.DPS{Endpoint: c.DPS.Endpoint, CA: c.DPS.CA}, config.Hub{Port: c.Hub.Port, Transport: c.Hub.Transport,
				TokenTTL: c.Hub.TokenTTL, KeepAlive: c.Hub.KeepAlive, CA: c.Hub.CA}
		}
		if !reflect.DeepEqual(old, cfg) {
			t.Fatalf("%+v\nwas\n%+v", cfg, old)
		}
		keptComments(t, blockless(text), got)
	})
}

// blockless is the text without lines that only look like comments, since they may be
// part of a value, if there may be such values.
func blockless(text string) string {
	if strings.ContainsAny(text, "|>\"'") {
		return ""
	}
	return text
}
