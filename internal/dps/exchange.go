package dps

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"tasmota-azd/internal/token"
)

// The times of an exchange (contract, section 7.6).
const (
	apiVersion   = "2019-03-31"
	requestLimit = 30 * time.Second
	overallLimit = 5 * time.Minute
	tokenTTL     = time.Hour
	firstWait    = 2 * time.Second  // no poll is earlier: DPS allows 5 in 10 s
	longestWait  = 30 * time.Second // unless DPS asks for more
)

// maxAnswer is a little more than the 96 KB a message of DPS may have.
const maxAnswer = 128 << 10

// An exchange is one registration on its way.
type exchange struct {
	Options
	deadline  time.Time
	operation string // the id to poll, empty before DPS named one
	setbacks  int    // answers in a row that brought nothing
	end       func() // closes what stays open
}

// noOperation has the shape of an operation id and is that of none.
const noOperation = "4.0000000000000000.00000000-0000-0000-0000-000000000000"

// newExchange fills in the defaults. It is to be ended.
func newExchange(o Options) *exchange {
	o.Endpoint = cmp.Or(o.Endpoint, DefaultEndpoint)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	x := &exchange{Options: o, deadline: time.Now().Add(overallLimit), end: func() {}}
	if x.Transport == nil {
		t := transport(o)
		x.Transport, x.end = t, t.CloseIdleConnections
	}
	return x
}

// check refuses what DPS would refuse anyway, with better words.
func (x *exchange) check() error {
	switch {
	case !validScopeID(x.ScopeID):
		return x.fail(&Error{Kind: BadRequest, Message: fmt.Sprintf("%q is not an ID scope", x.ScopeID)})
	case !validRegistrationID(x.RegistrationID):
		return x.fail(&Error{Kind: BadRequest, Message: fmt.Sprintf("%q is not a registration id: 1 to 128 of letters, digits "+
			"and - . _ : with a letter, a digit or - at the end", x.RegistrationID)})
	}
	return nil
}

// run sends requests until one answer settles the matter.
func (x *exchange) run(ctx context.Context) (Assignment, error) {
	for {
		polled := x.operation != ""
		a, err := x.send(ctx)
		if err != nil {
			return Assignment{}, err
		}
		step, e := a.judge(polled)
		switch step {
		case assigned:
			return a.assignment(), nil
		case over:
			return Assignment{}, x.fail(e)
		}
		x.follow(step, a, polled)
		wait := x.pause(step, a.retryAfter)
		if time.Until(x.deadline) <= wait {
			return Assignment{}, x.fail(e)
		}
		x.report(step, e, wait)
		select {
		case <-ctx.Done():
			return Assignment{}, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// follow keeps up with the operation the service is working on. An answer that
// does not name it leaves it as it was. A registration that was taken is no
// progress yet: the service may lose it again.
func (x *exchange) follow(step step, a answer, polled bool) {
	switch {
	case step == lost:
		x.operation = ""
	case a.body.OperationID != "":
		x.operation = a.body.OperationID
	}
	switch {
	case step != working:
		x.setbacks++
	case polled:
		x.setbacks = 0
	}
}

// pause is how long to wait before the next request: at least what DPS asked
// for, longer after each setback, and never quite the same on two devices.
func (x *exchange) pause(step step, asked time.Duration) time.Duration {
	wait, spread := max(asked, firstWait), firstWait/10
	if step != working {
		own := min(firstWait<<min(x.setbacks-1, 8), longestWait)
		wait, spread = max(asked, own), own/2
	}
	return wait + rand.N(spread)
}

func (x *exchange) report(step step, e *Error, wait time.Duration) {
	if step == working {
		x.Log.Debug("DPS is working on the registration", "operation", x.operation, "retry_in", wait.Round(time.Second/10))
		return
	}
	x.Log.Warn("DPS did not decide yet", "err", x.fail(e), "retry_in", wait.Round(time.Second/10))
}

// send makes one request: the registration, or a poll if there is an
// operation to poll.
func (x *exchange) send(ctx context.Context) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, min(requestLimit, time.Until(x.deadline)))
	defer cancel()
	req, err := x.request(limited)
	if err != nil {
		return answer{}, x.fail(&Error{Kind: BadRequest, Err: err})
	}
	client := http.Client{
		Transport: x.Transport,
		// The signature is for DPS and goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, x.broken(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, x.broken(ctx, err)
	}
	return parse(resp.StatusCode, resp.Header, body, x.Now()), nil
}

// request is contract section 7.3.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	base := "https://" + x.Endpoint + "/" + url.PathEscape(x.ScopeID) + "/registrations/" + url.PathEscape(x.RegistrationID)
	method, path, body := http.MethodPut, "/register", []byte(nil)
	if x.operation != "" {
		method, path = http.MethodGet, "/operations/"+url.PathEscape(x.operation)
	} else {
		body, _ = json.Marshal(registration{x.RegistrationID, payload{x.ModelID}}) // strings always marshal
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path+"?api-version="+apiVersion, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	if x.Certificate.IsZero() {
		req.Header.Set("Authorization", token.DPS(x.Key, x.ScopeID, x.RegistrationID, x.Now().Add(tokenTTL)))
	}
	req.Header.Set("User-Agent", cmp.Or(x.UserAgent, "tasmota-azd"))
	return req, nil
}

// A registration is the body of the first request.
type registration struct {
	ID      string  `json:"registrationId"`
	Payload payload `json:"payload,omitzero"`
}

// A payload tells DPS, and through it IoT Central, what the device is.
type payload struct {
	ModelID string `json:"modelId"`
}

// broken explains why there was no answer. The end of ctx is not a fault of
// DPS and is passed on as it is.
func (x *exchange) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the rest is method and address, which Error says better
	}
	return x.fail(explain(err))
}

// fail completes an error with whom was asked for what.
func (x *exchange) fail(e *Error) *Error {
	e.Endpoint, e.ScopeID, e.RegistrationID = x.Endpoint, x.ScopeID, x.RegistrationID
	e.Thumbprint = x.Certificate.Fingerprint()
	return e
}
