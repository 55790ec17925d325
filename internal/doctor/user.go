package doctor

import (
	"context"
	"fmt"
	"os/user"
	"slices"
	"strconv"
)

var userChecks = []Check{
	{Name: "user", Group: "user", What: "the user of the service is there", Remedy: "sudo systemd-sysusers tasmota-azd.conf", After: []string{"unit"}, run: (*patient).user},
	{Name: "group", Group: "user", What: "that user is in the group that may open GPIO chips", Needs: []string{"user"},
		Remedy: "sudo usermod -aG gpio tasmota-azd", run: (*patient).group},
}

// chipGroup is the group of the GPIO chips (systemd/tasmota-azd.rules).
const chipGroup = "gpio"

func (p *patient) user(context.Context) Finding {
	u := p.unit()
	if u.text == "" {
		return skip("there is no unit, so no user of it")
	}
	name := u.value("User")
	if name == "" {
		name = "root"
	}
	account, err := user.Lookup(name)
	if err != nil {
		return fault(fmt.Sprintf("there is no user %s, as whom the unit starts the daemon", name), "")
	}
	s := service{name: name}
	s.uid, _ = strconv.Atoi(account.Uid) // numbers, on Linux
	ids, err := account.GroupIds()
	if err != nil {
		return fault(err.Error(), "")
	}
	for _, id := range append(ids, account.Gid) {
		gid, _ := strconv.Atoi(id)
		s.groups = append(s.groups, gid)
	}
	p.service = s
	return ok(fmt.Sprintf("%s (uid %d)", name, s.uid))
}

func (p *patient) group(context.Context) Finding {
	s := p.service
	if s.name == "" || s.uid == 0 {
		return skip("there is no user of its own")
	}
	group, err := user.LookupGroup(chipGroup)
	if err != nil {
		return fault("there is no group "+chipGroup, "sudo systemd-sysusers tasmota-azd.conf && sudo udevadm trigger --subsystem-match=gpio")
	}
	gid, _ := strconv.Atoi(group.Gid)
	if !slices.Contains(s.groups, gid) {
		return fault(fmt.Sprintf("%s is not in the group %s", s.name, chipGroup), fmt.Sprintf("sudo usermod -aG %s %s", chipGroup, s.name))
	}
	return ok(fmt.Sprintf("%s is in the group %s", s.name, chipGroup))
}
