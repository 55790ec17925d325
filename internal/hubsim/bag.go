package hubsim

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A Property is a name and its value, as they travel in a property bag.
type Property struct {
	Name, Value string
	Null        bool // there is no value: written without "="
}

// escape percent-encodes all but letters, digits and "-_.~".
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func encodeBag(ps []Property) string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = escape(p.Name)
		if !p.Null {
			parts[i] += "=" + escape(p.Value)
		}
	}
	return strings.Join(parts, "&")
}

// decodeBag splits first and decodes each name and value then. A plus sign
// stays one (contract, section 4.1).
func decodeBag(bag string) ([]Property, error) {
	if bag == "" {
		return nil, nil
	}
	var ps []Property
	for part := range strings.SplitSeq(bag, "&") {
		name, value, found := strings.Cut(part, "=")
		var err1, err2 error
		p := Property{Null: !found}
		p.Name, err1 = url.PathUnescape(name)
		p.Value, err2 = url.PathUnescape(value)
		if err1 != nil || err2 != nil || !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
			return nil, fmt.Errorf("property %q is not percent-encoded UTF-8", part)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// systemNames are the names under which the cloud's side shows what travels
// with a leading "$." (contract, section 3.3).
var systemNames = map[string]string{
	"$.mid":   "message-id",
	"$.cid":   "correlation-id",
	"$.uid":   "user-id",
	"$.to":    "to",
	"$.ct":    "content-type",
	"$.ce":    "content-encoding",
	"$.exp":   "absolute-expiry-time",
	"$.ctime": "creation-time",
	"$.sub":   "dt-subject",
	"$.on":    "output-name",
}

// sortProperties parts system properties from the application's. Of a
// repeated name the last one stands. A system property nobody knows keeps
// its name of the wire.
func sortProperties(ps []Property) (application, system map[string]string) {
	application, system = map[string]string{}, map[string]string{}
	for _, p := range ps {
		switch name, known := systemNames[p.Name]; {
		case known:
			system[name] = p.Value
		case strings.HasPrefix(p.Name, "$."):
			system[p.Name] = p.Value
		default:
			application[p.Name] = p.Value
		}
	}
	return application, system
}
