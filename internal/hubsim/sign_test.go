package hubsim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// signed makes a token by hand, with sr as it is to be sent.
func signed(t testing.TB, keyText, sr string, life time.Duration) string {
	raw, err := base64.StdEncoding.DecodeString(keyText)
	must(t, err)
	se := strconv.FormatInt(time.Now().Add(life).Unix(), 10)
	h := hmac.New(sha256.New, raw)
	h.Write([]byte(sr + "\n" + se))
	return "SharedAccessSignature sr=" + sr + "&sig=" + url.QueryEscape(base64.StdEncoding.EncodeToString(h.Sum(nil))) + "&se=" + se
}
