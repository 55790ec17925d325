package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestCatalog holds the messages of the code, their ids in internal/logs and the journal
// catalog against each other.
func TestCatalog(t *testing.T) {
	said := make(map[string]bool) // every text of the daemon's source
	for _, dir := range []string{"internal", "cmd/tasmota-azd"} {
		texts(t, dir, said)
	}
	ids := messageIDs(t)
	for id, message := range ids {
		if message != "" && !said[message] {
			t.Errorf("%s: nobody says %q any more", id, message)
		}
	}
	catalog := read(t, "systemd/tasmota-azd.catalog")
	explained := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^-- ([0-9a-f]{32})\nSubject: .+\nDefined-By: tasmota-azd\n(?:[A-Z].+: .+\n)*\n\S`).FindAllStringSubmatch(catalog, -1) {
		if explained[m[1]] {
			t.Errorf("%s is in the catalog twice", m[1])
		}
		explained[m[1]] = true
		if _, ok := ids[m[1]]; !ok {
			t.Errorf("%s is in the catalog and not in the code", m[1])
		}
	}
	if n := strings.Count(catalog, "\n-- "); n != len(explained) {
		t.Errorf("%d entries in the catalog, of which %d are well-formed", n, len(explained))
	}
	for id := range maps.Keys(ids) {
		if !explained[id] {
			t.Errorf("%s (%q) is not in the catalog", id, ids[id])
		}
	}
	for _, m := range regexp.MustCompile(`@TASMOTA_([A-Z_]+)@`).FindAllStringSubmatch(catalog, -1) {
		if key := strings.ToLower(m[1]); !said[key] {
			t.Errorf("the catalog shows %s, but no message has %q", m[0], key)
		}
	}
}

// messageIDs are those of internal/logs, each with its message; that of the last error
// has none.
func messageIDs(t *testing.T) map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "internal/logs/messages.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]string)
	note := func(id, message string) {
		if _, twice := ids[id]; twice || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("%q is no id, or there twice", id)
		}
		ids[id] = message
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			message, _ := constant(n.Key)
			id, _ := constant(n.Value)
			note(id, message)
		case *ast.ValueSpec:
			if n.Names[0].Name == "lastID" {
				id, _ := constant(n.Values[0])
				note(id, "")
			}
		}
		return true
	})
	if len(ids) < 30 {
		t.Fatalf("only %d ids found", len(ids))
	}
	return ids
}

// texts notes the constant texts in the source below dir, those of messages.go left out.
func texts(t *testing.T, dir string, into map[string]bool) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			d.Name() == "messages.go" || strings.Contains(path, "hubsim") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if text, known := constant(e); ok && known {
				into[text] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// constant is the value of a text, also of one that is put together with +.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, ok := constant(e.X)
		y, ok2 := constant(e.Y)
		return x + y, ok && ok2 && e.Op == token.ADD
	}
	return "", false
}
