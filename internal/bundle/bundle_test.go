package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tasmota-azd/internal/bundle"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// unpack reads an archive by other eyes than those that wrote it.
func unpack(t *testing.T, packed []byte) (names []string, texts map[string]string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o600 || !h.ModTime.Equal(at) || h.Typeflag != tar.TypeReg {
			t.Errorf("%+v", h)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(h.Name, "dir/")
		names, texts[name] = append(names, name), string(text)
	}
}

func says(text string, err error) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(text), err }
}

func options() bundle.Options {
	return bundle.Options{Dir: "dir", At: at, Conceal: func(b []byte) ([]byte, int) {
		return bytes.ReplaceAll(b, []byte("secret"), []byte("******")), bytes.Count(b, []byte("secret"))
	}}
}

func TestWrite(t *testing.T) {
	members := []bundle.Member{
		{Name: "b", Holds: "the b", Why: "the reason", Read: says("text of b with a secret", nil)},
		{Name: "gone", Holds: "x", Why: "y", Read: says("", errors.New("line one\nline two"))},
		{Name: "half", Holds: "x", Why: "y", Read: says("half", errors.New("the rest is not to be had"))},
		{Name: "empty", Holds: "x", Why: "y", Read: says("", nil)},
		{Name: "a", Holds: "x", Why: "y", Most: 5, Read: says("0123456789", nil)},
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if _, err := bundle.Write(t.Context(), w, members, options()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of the same are not the same")
	}
	names, texts := unpack(t, first.Bytes())
	if want := []string{bundle.Manifest, "b", "half", "a"}; !slices.Equal(names, want) {
		t.Errorf("members %q, want %q", names, want)
	}
	if texts["b"] != "text of b with a ******" || texts["a"] != "01234" || texts["half"] != "half" {
		t.Errorf("%q", texts)
	}
	for _, want := range []string{
		"b (23 bytes)\n  holds: the b\n  for: the reason\n  but: 1 line(s) hidden",
		"gone (NOT THERE)\n", "but: line one line two\n", "half (4 bytes)", "but: the rest is not to be had",
		"empty (NOT THERE)", "but: there is nothing", "a (5 bytes)", "but: cut off after 5 of 10 bytes",
	} {
		if !strings.Contains(texts[bundle.Manifest], want) {
			t.Errorf("the manifest lacks %q:\n%s", want, texts[bundle.Manifest])
		}
	}
}

// However much there is, the archive is no larger than it may be.
func TestWriteHasALimit(t *testing.T) {
	var members []bundle.Member
	for i := range 8 {
		members = append(members, bundle.Member{Name: string(rune('a' + i)), Most: 3 << 20, Read: says(strings.Repeat("x", 3<<20), nil)})
	}
	var packed bytes.Buffer
	if _, err := bundle.Write(t.Context(), &packed, members, options()); err != nil {
		t.Fatal(err)
	}
	total := 0
	_, texts := unpack(t, packed.Bytes())
	for name, text := range texts {
		if name != bundle.Manifest {
			total += len(text)
		}
	}
	if total != bundle.MostTotal || !strings.Contains(texts[bundle.Manifest], "cut off after 0 of") {
		t.Errorf("%d bytes", total)
	}
}

// A member that does not come is not waited for long.
func TestWriteDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		began := time.Now()
		all, err := bundle.Write(t.Context(), io.Discard, []bundle.Member{{Name: "hangs", Read: hangs}, {Name: "next", Read: says("x", nil)}}, options())
		if err != nil || all[0].Size != 0 || all[1].Size != 1 || time.Since(began) > time.Minute {
			t.Errorf("%v, %+v after %v", err, all, time.Since(began))
		}
	})
}

func TestNoRoom(t *testing.T) {
	if _, err := bundle.Write(t.Context(), full{}, []bundle.Member{{Name: "x", Read: says("x", nil)}}, options()); err == nil {
		t.Error("a full disk is no error")
	}
	if _, err := bundle.Write(t.Context(), io.Discard, []bundle.Member{{Name: strings.Repeat("x", 120), Read: says("x", nil)}}, options()); err == nil {
		t.Error("a name that does not fit is no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
