package hubsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one half of a twin (contract, section 6.4). The integers are those
// of the service's documentation.
const (
	maxTwin    = 32 << 10 // as sizeOf counts
	maxTwinKey = 1 << 10
	maxText    = 4 << 10
	maxDepth   = 10
	maxInteger = 1<<52 - 1
	minInteger = -1 << 52
)

// object is an object of JSON. Numbers in it are json.Number and stay as they
// were written.
type object = map[string]any

// parseObject reads one object. Of a repeated key the last one stands.
func parseObject(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("not an object")
	}
	return o, nil
}

// parsePatch reads a patch and holds it to the rules of section 6.4. The size
// is judged when it is applied.
func parsePatch(data []byte) (object, error) {
	o, err := parseObject(data)
	if err == nil {
		err = checkValue(o, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: twin: %w", ErrInvalid, err)
	}
	return o, nil
}

// checkValue judges a value at a depth. The whole is at depth 0, and every
// object or array in another is one deeper.
func checkValue(v any, depth int) error {
	switch v := v.(type) {
	case object:
		for key, value := range v {
			if err := checkKey(key); err != nil {
				return err
			}
			if err := checkInner(value, depth); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	case []any:
		for _, value := range v {
			if err := checkInner(value, depth); err != nil {
				return err
			}
		}
	case string:
		if len(v) > maxText {
			return fmt.Errorf("text of %d bytes, more than %d", len(v), maxText)
		}
	case json.Number:
		return checkNumber(v.String())
	}
	return nil
}

func checkInner(v any, depth int) error {
	switch v.(type) {
	case object, []any:
		if depth == maxDepth {
			return fmt.Errorf("deeper than %d", maxDepth)
		}
	}
	return checkValue(v, depth+1)
}

func checkKey(key string) error {
	bad := strings.ContainsFunc(key, func(r rune) bool { return r == '.' || r == '$' || r == ' ' || unicode.IsControl(r) })
	if key == "" || len(key) > maxTwinKey || bad {
		return fmt.Errorf("key %.60q: 1 to %d bytes without control characters, \".\", \"$\" and space", key, maxTwinKey)
	}
	return nil
}

func checkNumber(text string) error {
	if strings.ContainsAny(text, ".eE") {
		_, err := strconv.ParseFloat(text, 64)
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < minInteger || n > maxInteger {
		return fmt.Errorf("integer %.40s is not between %d and %d", text, int64(minInteger), int64(maxInteger))
	}
	return nil
}

// merge returns doc with patch applied: objects merge, null deletes, and all
// else replaces, arrays too. Neither of them is changed.
func merge(doc, patch object) object {
	out := object{}
	maps.Copy(out, doc)
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(out, key)
		case object:
			old, _ := out[key].(object)
			out[key] = merge(old, value)
		default:
			out[key] = value
		}
	}
	return out
}

// sizeOf counts as the service says it does: keys and texts without control
// characters, 8 bytes for a number, 4 for a truth value.
func sizeOf(v any) int {
	n := 0
	switch v := v.(type) {
	case object:
		for key, value := range v {
			n += sizeOf(key) + sizeOf(value)
		}
	case []any:
		for _, value := range v {
			n += sizeOf(value)
		}
	case string:
		for _, r := range v {
			if !unicode.IsControl(r) {
				n += utf8.RuneLen(r)
			}
		}
	case json.Number:
		n = 8
	case bool:
		n = 4
	}
	return n
}

// encodeObject writes o, with its version if that is not 0.
func encodeObject(o object, version uint64) []byte {
	if version > 0 {
		o = merge(o, nil)
		o["$version"] = version
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err) // it was read from JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
