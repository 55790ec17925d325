package relay

import (
	"time"

	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/cause"
)

// begin brings relay i to its first state.
func (b *Bank) begin(i int, s Setup) error {
	w := b.wires[i]
	why := s.cause(i)
	line, ok := w.Pin.(Line)
	if !ok {
		return b.first(i, Unknown, why, w.Pin.Out(w.level(b.on[i])))
	}
	level, held := line.Held()
	if !held {
		return b.first(i, Unknown, why, line.Claim(w.level(b.on[i]), w.level(false)))
	}
	stands := level == w.level(true)
	if !s.Restore {
		if stands != b.on[i] {
			b.log.Warn("relay is not as it was saved; its line is believed", "relay", i+1, "name", w.Name,
				"pin", w.Pin.Name(), "on", stands, "saved", b.on[i])
		}
		b.on[i], why = stands, cause.Cause{Door: cause.Adopted}
	}
	return b.first(i, stateOf(stands), why, line.Claim(w.level(b.on[i]), w.level(false)))
}

// cause is who wants the first state of relay i.
func (s Setup) cause(i int) cause.Cause {
	if why, ok := s.Causes[i]; ok {
		return why
	}
	return s.Cause
}

// first reports the first level of relay i, unless driving it failed with err.
func (b *Bank) first(i int, from State, why cause.Cause, err error) error {
	if err != nil {
		return err
	}
	if from == stateOf(b.on[i]) {
		b.report("relay ready", i, why)
	}
	b.edge("relay ready", i, from, why)
	return nil
}

// releaseOthers drives lines off that are held from an earlier run, and belong
// to no relay any more. The daemon works without that, so an error is only told.
func (b *Bank) releaseOthers(others []Line) {
	why := cause.Cause{Door: cause.Removed}
	for _, line := range others {
		level, _ := line.Held()
		off := level
		if l, ok := line.(interface{ Off() gpio.Level }); ok {
			off = l.Off()
		}
		if err := line.Release(); err != nil {
			b.log.Error("line of a relay that was removed is not released", "pin", line.Name(), "err", err)
			continue
		}
		b.log.Info("line of a relay that was removed is off and released", "pin", line.Name())
		if level != off {
			b.edges(Edge{Time: time.Now(), Pin: line.Name(), From: On, To: Off, Cause: why})
		}
	}
}
