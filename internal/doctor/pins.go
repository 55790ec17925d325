package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"tasmota-azd/internal/config"
	"tasmota-azd/internal/relay"
	"tasmota-azd/internal/relay/gpiochip"
)

var pinChecks = []Check{
	{Name: "chip", Group: "pins", What: "there are GPIO chips, and they may be opened", Needs: []string{"file"}, After: []string{"user"},
		Remedy: "sudo usermod -aG gpio USER, and log in again; or another board", run: (*patient).chip},
	{Name: "lines", Group: "pins", What: "every relay has a line, and no two have the same", Remedy: "sudoedit CONFIG", Needs: []string{"chip"}, run: (*patient).lines},
	{Name: "holders", Group: "pins", What: "nothing else holds those lines", Needs: []string{"lines"}, After: []string{"daemon"},
		Remedy: "sudo raspi-config, to switch off the function that has the line; or choose another line", run: (*patient).holders},
}

// ownConsumer is the name under which the kernel shows the daemon's lines, which systemd
// may keep for it.
const ownConsumer = "tasmota-azd"

func (p *patient) chip(context.Context) Finding {
	switch p.cfg.GPIO.Driver {
	case config.DriverSim:
		return skip("gpio.driver is sim: no relay is switched")
	case config.DriverPeriph:
		return skip("gpio.driver is periph: its drivers cannot be asked without being started")
	}
	chips, err := gpiochip.List()
	if len(chips) > 0 {
		p.chips = chips
		var names []string
		for _, c := range chips {
			names = append(names, fmt.Sprintf("%s (%s, %d lines)", c.Name, c.Label, len(c.Lines)))
		}
		return ok(strings.Join(names, ", "))
	}
	denied, isDenied := errors.AsType[*gpiochip.PermissionError](err)
	switch {
	case isDenied && os.Geteuid() != 0 && p.service.name != "" && p.service.uid != os.Geteuid():
		if why, err := p.service.may(denied.Paths[0], 4); err == nil && why == "" {
			return unknown(p.service.name + " may open the chips and this user may not; run this with sudo")
		}
	case p.cfg.GPIO.Driver == config.DriverAuto && !isDenied:
		if _, err := os.Stat("/dev/gpiomem"); err == nil {
			return warn("there is no chip that the kernel drives, so periph's drivers are used, which let relays move at a start", "sudo apt full-upgrade (Linux 5.10 or later)")
		}
	}
	text, remedy, _ := strings.Cut(err.Error(), ": ")
	return fault(text, remedy)
}

func (p *patient) lines(context.Context) Finding {
	if p.chips == nil {
		return skip("no chip is used")
	}
	var wrong []string
	owner := make(map[gpiochip.Place]string)
	for i, r := range p.cfg.Relays {
		place, err := gpiochip.Match(p.chips, r.Pin)
		first, taken := owner[place]
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("relays[%d].pin: %v", i, err))
		case taken:
			wrong = append(wrong, fmt.Sprintf("relays[%d].pin: %s is %s's already", i, place.Name(), first))
		}
		owner[place] = r.Name
		p.places = append(p.places, place)
	}
	if len(wrong) > 0 {
		p.mistake = fmt.Errorf("%w: %s", relay.ErrMistake, strings.Join(wrong, "; "))
		return fault(strings.Join(wrong, "; "), "")
	}
	var names []string
	for _, place := range p.places {
		names = append(names, place.String())
	}
	return ok(strings.Join(names, ", "))
}

// holders takes the daemon's own lines for good: it runs, or systemd keeps them for it.
func (p *patient) holders(context.Context) Finding {
	if p.chips == nil {
		return skip("no chip is used")
	}
	err := gpiochip.Check(p.chips, p.places...)
	all := []error{err}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		all = list.Unwrap()
	}
	var found, remedies []string
	own := 0
	for _, err := range all {
		used, ok := errors.AsType[*gpiochip.InUseError](err)
		if !ok {
			continue
		}
		if used.Consumer == ownConsumer {
			own++
			continue
		}
		text, remedy, _ := strings.Cut(used.Error(), ": ")
		found, remedies = append(found, text), append(remedies, remedy)
	}
	if found != nil {
		return fault(strings.Join(found, "; "), strings.Join(remedies, "; "))
	}
	if own > 0 {
		return ok(fmt.Sprintf("%d of %d are held by the daemon, or by systemd for it", own, len(p.places)))
	}
	return ok("all are free")
}
