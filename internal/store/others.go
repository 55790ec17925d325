package store

import "encoding/json"

// others are the members of a stored object that this release does not know. They are
// kept for the later release that wrote them, which may come back.
//
// Members of the entries of a list are not among them: such an entry cannot be told from
// another.
type others struct {
	members map[string]json.RawMessage
	within  map[string]*others // members that are known, but not all of them
}

// maxOthers is how much of a file is kept for another release, in bytes.
const maxOthers = MaxSize / 2

// Keep notes which members of value, the JSON that v was read from, are not in v: from now
// on they are in what Pack and Save make for that name.
func (s *Store) Keep(name string, value json.RawMessage, v any) {
	known, err := json.Marshal(v)
	o := unknown(value, known)
	if err != nil || o != nil && len(value) > maxOthers {
		s.log.Warn("what a later release wrote will be lost", "file", name, "bytes", len(value), "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others[name] = o
}

// Pack returns v as JSON, with the members that Keep has noted for that name.
func (s *Store) Pack(name string, v any) (json.RawMessage, error) {
	value, err := json.Marshal(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.others[name]; err == nil && o != nil {
		return o.into(value)
	}
	return value, err
}

// unknown returns the members of value that known, which was made of it, does not have;
// nil for none. A member that is only zero, and left out for that, does no harm.
func unknown(value, known json.RawMessage) *others {
	var all, mine map[string]json.RawMessage
	if json.Unmarshal(value, &all) != nil || json.Unmarshal(known, &mine) != nil {
		return nil // they are no objects
	}
	o := others{make(map[string]json.RawMessage), make(map[string]*others)}
	for name, v := range all {
		if has, ok := mine[name]; !ok {
			o.members[name] = v
		} else if inner := unknown(v, has); inner != nil {
			o.within[name] = inner
		}
	}
	if len(o.members)+len(o.within) == 0 {
		return nil
	}
	return &o
}

// into returns value with these members. What belongs to an object that is no more is
// left out: it was about that.
func (o *others) into(value json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if json.Unmarshal(value, &all) != nil || all == nil {
		return value, nil // no object any more
	}
	for name, v := range o.members {
		if _, mine := all[name]; !mine {
			all[name] = v
		}
	}
	for name, inner := range o.within {
		if v, ok := all[name]; ok {
			merged, err := inner.into(v)
			if err != nil {
				return nil, err
			}
			all[name] = merged
		}
	}
	return json.Marshal(all)
}
