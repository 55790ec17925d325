package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tasmota-azd/internal/config"
)

const sampleFile = "../../configs/config.yaml"

func sample(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// filled returns the sample after its owner has filled in what is needed for
// the first of the two ways, and the directory where the key file is.
func filled(t testing.TB) (text, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "device.key"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return replace(t, sample(t), "\n  host:\n", "\n  host: h.azure-devices.net\n"), dir
}

func replace(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("the sample has %q %d times, want once", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

// setting is a line of the sample that holds a key, in effect or not.
var setting = regexp.MustCompile(`(?m)^( *)(- )?(#?)([a-z][a-z0-9_]*):(.*)$`)

func TestSampleAsShipped(t *testing.T) {
	_, err := config.Parse(strings.NewReader(sample(t)), filepath.Join(t.TempDir(), "config.yaml"))
	mistakes, ok := errors.AsType[*config.Error](err)
	if !ok || len(mistakes.Mistakes) != 2 || mistakes.Mistakes[0].Key != "hub.host" || mistakes.Mistakes[1].Key != "hub.key_file" {
		t.Errorf("%v; want hub.host and hub.key_file to be filled in, and nothing else", err)
	}
}

func TestSampleFilled(t *testing.T) {
	text, dir := filled(t)
	got, err := config.Parse(strings.NewReader(text), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sameKey(t, &got.Hub.Key, key)
	want := defaults()
	want.Hub.Host = "h.azure-devices.net"
	same(t, got, want)
}

func TestSampleWithDPS(t *testing.T) {
	text, dir := filled(t)
	text = replace(t, text, "\n  host: h.azure-devices.net\n", "\n  host:\n")
	text = replace(t, text, "\n  key_file: device.key\n", "\n")
	text = replace(t, text, "\n  scope_id:\n", "\n  scope_id: 0ne00223A39\n")
	text = replace(t, text, "\n  #key_file: enrollment.key\n", "\n  key_file: device.key\n")
	got, err := config.Parse(strings.NewReader(text), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sameKey(t, &got.DPS.Key, key)
	want := defaults()
	want.DPS.ScopeID = "0ne00223A39"
	same(t, got, want)
}

// TestSampleDefaults puts every default of the sample into effect, which must
// change nothing.
func TestSampleDefaults(t *testing.T) {
	text, dir := filled(t)
	examples := []string{"device_id", "key", "key_file", "secondary_key_file", "cert_file", "cert_key_file", "connection_string", "connection_string_file", "registration_id", "ca_file", "board", "channel", "listen"}
	var shown []string
	text = setting.ReplaceAllStringFunc(text, func(line string) string {
		m := setting.FindStringSubmatch(line)
		if m[3] == "" || slices.Contains(examples, m[4]) {
			return line
		}
		shown = append(shown, m[4])
		return strings.Replace(line, "#", "", 1)
	})
	want := []string{"port", "transport", "token_ttl", "keep_alive", "endpoint", "key_kind", "active_low", "min_interval", "max_age", "servers", "driver", "sim_dir", "on_stop", "stagger", "max_per_minute", "max_age",
		"period", "full_topic", "daily_limit", "meter", "state_dir", "level", "format"}
	if !slices.Equal(shown, want) {
		t.Errorf("defaults shown: %q, want %q", shown, want)
	}
	got, err := config.Parse(strings.NewReader(text), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sameKey(t, &got.Hub.Key, key)
	wantConfig := defaults()
	wantConfig.Hub.Host = "h.azure-devices.net"
	same(t, got, wantConfig)
}

// TestSampleKeys compares the keys of the sample with those of the parser.
func TestSampleKeys(t *testing.T) {
	var got []string
	section := ""
	for _, m := range setting.FindAllStringSubmatch(sample(t), -1) {
		if m[1] == "" {
			section = m[4]
			got = append(got, m[4])
			continue
		}
		name := section + "." + m[4]
		if section == "relays" {
			name = section + "[]." + m[4]
		}
		got = append(got, name)
	}
	var want []string
	for path, name := range config.Known() {
		want = append(want, strings.TrimPrefix(path+"."+name, "."))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("keys of the sample: %q\nkeys of the parser: %q", got, want)
	}
}

// TestSampleMutated spoils each setting of the sample in several ways. The
// mistake must be found in the line where it is.
func TestSampleMutated(t *testing.T) {
	text, dir := filled(t)
	text = setting.ReplaceAllStringFunc(text, func(line string) string {
		m := setting.FindStringSubmatch(line)
		if m[3] == "" || strings.HasPrefix(m[4], "connection_string") || m[4] == "key" || m[4] == "ca_file" || strings.Contains(line, "enrollment") ||
			m[4] == "registration_id" || m[4] == "board" || m[4] == "channel" {
			return line
		}
		return strings.Replace(line, "#", "", 1)
	})
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		m := setting.FindStringSubmatch(line)
		if m == nil || m[3] == "#" {
			continue
		}
		head, tail := m[1]+m[2]+m[4], m[5]
		misspelt := m[4][:len(m[4])-1]
		if m[4] == "pin" || m[4] == "host" || m[4] == "port" {
			misspelt = m[4] + "s"
		}
		for _, mutant := range []struct{ line, want string }{
			{m[1] + m[2] + misspelt + ":" + tail, "unknown key; did you mean " + m[4] + "?"},
			{m[1] + m[2] + strings.ToUpper(m[4]) + ":" + tail, "unknown key; did you mean " + m[4] + "?"},
			{head + ": *x" + tail, "a value that begins with * needs quotes around it"},
			{head + ": {a: 1}", ""},
			{head + ": [[1]]", ""},
			{head + ": \"\\u0001\"", ""},
		} {
			if tail == "" && !strings.HasPrefix(mutant.want, "unknown") && m[1] == "" {
				continue // a section; its keys follow
			}
			mutated := slices.Clone(lines)
			mutated[i] = mutant.line
			_, err := config.Parse(strings.NewReader(strings.Join(mutated, "\n")), filepath.Join(dir, "config.yaml"))
			mistakes, ok := errors.AsType[*config.Error](err)
			if !ok {
				t.Errorf("line %d: %s: no mistake found", i+1, mutant.line)
				continue
			}
			found := slices.ContainsFunc(mistakes.Mistakes, func(m config.Mistake) bool {
				return m.Line == i+1 && strings.Contains(m.Text, mutant.want)
			})
			if !found {
				t.Errorf("line %d: %s: %v\nwant %q in this line", i+1, mutant.line, err, mutant.want)
			}
		}
	}
}

// TestSampleTorn cuts, doubles and reindents each setting. What comes of it is
// judged by the same rules as under the fuzzer.
func TestSampleTorn(t *testing.T) {
	text, dir := filled(t)
	lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool { return !setting.MatchString(line) })
	file := filepath.Join(dir, "config.yaml")
	for i, line := range lines {
		for _, torn := range []string{"", line + line, " " + line, "\t" + line, line[:len(line)/2], line[:len(line)/2] + "\n", "- " + line, "'" + line, "[" + line, "---\n" + line} {
			judge(t, strings.Join(lines[:i], "")+torn+strings.Join(lines[i+1:], ""), file)
		}
	}
}

var lineOf = regexp.MustCompile(`^:([0-9]+): .`)

// judge parses text, and checks what holds for every text.
func judge(t *testing.T, text, file string) {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader(text), file)
	if err != nil {
		if !reflect.DeepEqual(cfg, config.Config{}) {
			t.Errorf("a configuration with an error: %+v", cfg)
		}
		judgeError(t, text, file, err)
		return
	}
	h, tel := cfg.Hub, cfg.Telemetry
	switch {
	case len(cfg.Relays) < 1 || len(cfg.Relays) > 32,
		(cfg.DPS.ScopeID == "") == (h.Host == ""), h.Key.IsZero() == cfg.DPS.Key.IsZero(),
		h.Port < 1 || h.Port > 65535, h.TokenTTL <= 0, h.KeepAlive <= 0, tel.Period < 0,
		!strings.HasSuffix(tel.FullTopic, "/"), cfg.StateDir == "", cfg.GPIO.SimDir == "", cfg.GPIO.OnStop == "", cfg.Log.Format == "":
		t.Errorf("neither an error nor a whole configuration: %+v\nof:\n%s", cfg, text)
	}
}

func judgeError(t *testing.T, text, file string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Errorf("error of type %T", err)
	}
	for message := range strings.SplitSeq(err.Error(), "\n") {
		rest, ok := strings.CutPrefix(message, file)
		m := lineOf.FindStringSubmatch(rest)
		if !ok || m == nil {
			t.Errorf("no file and line in %q of\n%s", message, text)
			continue
		}
		var line int
		fmt.Sscan(m[1], &line)
		if last := strings.Count(text, "\n") + 1; line < 1 || line > last {
			t.Errorf("line %d of %d in %q of\n%s", line, last, message, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	text, _ := filled(f)
	f.Add(text)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("hub: {connection_string: " + connection + "}\n" + relays)
	f.Fuzz(func(t *testing.T, text string) {
		judge(t, text, "testdata/bad/fuzz.yaml")
	})
}
