package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	errState  = errors.New("not ON or OFF")
	errValue  = errors.New("not a number or a word that stands for one")
	errChange = errors.New("a change such as TOGGLE is not a state")
)

// state reads a state of a relay.
func state(value json.RawMessage) (string, error) {
	text, err := scalar(value)
	switch strings.ToUpper(text) {
	case "ON", "TRUE", "1":
		return "ON", nil
	case "OFF", "FALSE", "0":
		return "OFF", nil
	}
	if err == nil {
		err = errState
	}
	return "", err
}

// scalar reads a number, true, false or a text as the argument of a command. A word
// that stands for a change is none, and nothing would ask for the present value.
func scalar(value json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return "", fmt.Errorf("%.40s: %w", value, err)
	}
	text := string(value)
	switch v := v.(type) {
	case bool, float64:
	case string:
		text = v
	default:
		return "", errValue
	}
	switch strings.ToUpper(text) {
	case "", "?":
		return "", errValue
	case "TOGGLE", "BLINK", "BLINKOFF", "ADMIN":
		return "", errChange
	}
	return text, nil
}

// number reads the number of a relay.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && 1 <= n && n <= maxRelay && strconv.Itoa(n) == text
}

func members(value json.RawMessage) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	err := json.Unmarshal(value, &m)
	return m, err == nil && m != nil
}
