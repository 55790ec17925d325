package dps

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An answer is one response of DPS, taken apart but not yet judged.
type answer struct {
	status     int
	retryAfter time.Duration // zero if not said
	media      string        // of the body, such as "application/json"
	location   string        // of a redirect
	isJSON     bool          // whether body could be read; if not, it is empty
	body       body
}

// A body is what the JSON of any answer may hold (contract, sections 7.4 and
// 7.5):
//
//	{"operationId":"5.…","status":"assigning"}
//	{"operationId":"5.…","status":"assigned","registrationState":{"assignedHub":"contoso.azure-devices.net","deviceId":"rpi-0001",…}}
//	{"errorCode":401002,"trackingId":"…","message":"…"}
type body struct {
	OperationID string `json:"operationId"`
	Status      string `json:"status"`
	State       state  `json:"registrationState"`
	ErrorCode   code   `json:"errorCode"`
	TrackingID  string `json:"trackingId"`
	Message     string `json:"message"`
}

type state struct {
	AssignedHub  string `json:"assignedHub"`
	DeviceID     string `json:"deviceId"`
	Status       string `json:"status"`
	Substatus    string `json:"substatus"`
	ErrorCode    code   `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
}

// A code is an error code of DPS, zero for anything that is not a number.
type code int

func (c *code) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 31)
	if err == nil {
		*c = code(n)
	}
	return nil
}

// maxOperation is far more than an operation id has.
const maxOperation = 512

// parse takes a response apart; now dates a Retry-After.
func parse(status int, h http.Header, raw []byte, now time.Time) answer {
	a := answer{
		status:     status,
		retryAfter: retryAfter(h.Get("Retry-After"), now),
		location:   h.Get("Location"),
	}
	a.media, _, _ = mime.ParseMediaType(h.Get("Content-Type"))
	if len(raw) <= maxAnswer && json.Unmarshal(raw, &a.body) == nil {
		a.isJSON = true
	} else {
		a.body = body{}
	}
	if len(a.body.OperationID) > maxOperation {
		a.body.OperationID = ""
	}
	return a
}

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads both forms of the header, seconds and a date. It is zero
// if there is none, or none that can be read.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(s)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// A step is what an answer means for the exchange.
type step int

const (
	assigned step = iota // the device has a hub
	working              // DPS is at it: poll
	busy                 // DPS cannot now: the same again, later
	lost                 // DPS does not know the operation: register again
	over                 // no, and asking again at once would not help
)

// judge says how to go on, and for all but an assignment what stands in the
// way. polled is whether the request named an operation.
func (a answer) judge(polled bool) (step, *Error) {
	switch {
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		return busy, a.err(Unavailable)
	case a.status == http.StatusTooManyRequests:
		return busy, a.err(Throttled)
	case a.status == http.StatusNotFound && polled && a.body.ErrorCode != enrollmentNotFound:
		return lost, a.err(Unavailable)
	case a.status == http.StatusNotFound:
		return over, a.err(NotEnrolled)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return over, a.err(Unauthorized)
	case a.status >= 400 && isAllocation(a.body.ErrorCode):
		return over, a.err(Failed)
	case a.status >= 400:
		return over, a.err(BadRequest)
	case a.status >= 300 || !a.isJSON:
		return over, a.err(BadAnswer)
	}
	return a.judgeState()
}

// judgeState reads the status of the registration: a wire status below 300
// alone is no success.
func (a answer) judgeState() (step, *Error) {
	switch a.state() {
	case "assigned":
		if validHost(a.body.State.AssignedHub) && validDeviceID(a.body.State.DeviceID) {
			return assigned, nil
		}
		return over, a.err(BadAnswer)
	case "assigning", "unassigned":
		return working, a.err(Unavailable)
	case "failed":
		return over, a.err(Failed)
	case "disabled", "blacklisted":
		return over, a.err(Disabled)
	}
	return over, a.err(BadAnswer)
}

// state is the status of the registration in lower case, empty if not said.
func (a answer) state() string {
	return strings.ToLower(cmp.Or(a.body.Status, a.body.State.Status))
}

func (a answer) assignment() Assignment {
	s := a.body.State
	return Assignment{Hub: strings.ToLower(s.AssignedHub), DeviceID: s.DeviceID, Substatus: printable(s.Substatus)}
}

// err gathers what the answer says about a refusal.
func (a answer) err(k Kind) *Error {
	e := &Error{
		Kind:       k,
		Status:     a.status,
		Code:       int(cmp.Or(a.body.ErrorCode, a.body.State.ErrorCode)),
		Message:    printable(cmp.Or(a.body.Message, a.body.State.ErrorMessage)),
		TrackingID: printable(a.body.TrackingID),
		RetryAfter: a.retryAfter,
	}
	if k == BadAnswer {
		e.Message = a.oddity()
	}
	return e
}

// oddity names what makes an answer unusable.
func (a answer) oddity() string {
	switch s := a.body.State; {
	case a.status >= 300:
		return "redirect to " + printable(a.location) + ", not followed"
	case !a.isJSON:
		return "the body is not the JSON of DPS but " + printable(a.media)
	case a.state() != "assigned":
		return "unknown status " + strconv.Quote(printable(a.state()))
	case !validHost(s.AssignedHub):
		return "assigned hub " + strconv.Quote(printable(s.AssignedHub)) + " is not a host name"
	default:
		return "device id " + strconv.Quote(printable(s.DeviceID)) + " cannot be used over MQTT"
	}
}
