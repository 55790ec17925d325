package identity

import (
	"tasmota-azd/internal/dps"
	"tasmota-azd/internal/token"
)

// assignmentFile is the name of the assignment in the store.
const assignmentFile = "assignment"

// An assignment is what DPS said, and to what question. Of the key only a
// fingerprint is kept, to see whether it is still the same.
type assignment struct {
	Endpoint       string `json:"endpoint"`
	ScopeID        string `json:"scope_id"`
	RegistrationID string `json:"registration_id"`
	KeyFingerprint string `json:"key_fingerprint"`
	Certificate    string `json:"certificate,omitempty"` // its fingerprint
	Hub            string `json:"hub"`
	DeviceID       string `json:"device_id"`
}

// question is an assignment without its answer.
func (i *Identities) question() assignment {
	return assignment{
		Endpoint:       i.dps.Endpoint,
		ScopeID:        i.dps.ScopeID,
		RegistrationID: i.dps.RegistrationID,
		KeyFingerprint: i.dps.Key.Fingerprint(),
		Certificate:    i.dps.Certificate.Fingerprint(),
	}
}

// answers reports whether a is the answer to a question. It also is for a certificate that
// was renewed since.
func (a assignment) answers(asked assignment) bool {
	asked.Hub, asked.DeviceID = a.Hub, a.DeviceID
	if a.Certificate != "" && asked.Certificate != "" {
		asked.Certificate = a.Certificate
	}
	return a == asked && a.Hub != "" && a.DeviceID != ""
}

// recall loads the assignment of an earlier run, if it answers the question
// that the configuration asks now. It also counts for a renewed certificate,
// which DPS is told of as soon as can be.
func (i *Identities) recall() {
	var a assignment
	ok, err := i.store.Load(assignmentFile, &a)
	if err != nil {
		i.log.Warn("the hub of the last time cannot be read, DPS is asked", "err", err)
	}
	if !ok {
		return
	}
	if !a.answers(i.question()) {
		i.log.Info("DPS was last asked with another endpoint, scope, id or key", "hub", a.Hub, "registration_id", a.RegistrationID)
		return
	}
	i.other = token.Key{}
	i.log.Debug("the hub of the last time is used", "hub", a.Hub, "device_id", a.DeviceID)
	i.known = &a
}

// remember keeps a new assignment, which replaces the one before.
func (i *Identities) remember(said dps.Assignment) {
	a := i.question()
	a.Hub, a.DeviceID = said.Hub, said.DeviceID
	if i.known == nil || *i.known != a {
		i.log.Info("DPS assigned a hub", "hub", a.Hub, "device_id", a.DeviceID, "substatus", said.Substatus)
	}
	i.known, i.other = &a, token.Key{}
	i.save(assignmentFile, a)
}

// save keeps v for the next start, also over a loss of power. Without it the
// device still works.
func (i *Identities) save(name string, v any) {
	_, err := i.store.Save(name, v)
	if err == nil {
		err = i.store.Sync()
	}
	if err != nil {
		i.log.Warn("not kept for the next start", "what", name, "err", err)
	}
}
