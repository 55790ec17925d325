package identity

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"tasmota-azd/internal/lasting"
)

// An adapter is a network interface that has a MAC address.
type adapter struct {
	name     string
	index    int    // of the interface, lowest first
	mac      string // 12 digits of upper-case hex
	physical bool   // there is a device behind it
}

// ethernet is the kernel's number for Ethernet and Wi-Fi alike; loopback, CAN
// and others have theirs.
const ethernet = "1"

// adapters lists what /sys/class/net shows, in the order of the interface
// index.
func adapters(sys fs.FS) ([]adapter, error) {
	entries, err := fs.ReadDir(sys, ".")
	if err != nil {
		return nil, err
	}
	var list []adapter
	for _, e := range entries {
		if a, ok := readAdapter(sys, e.Name()); ok {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b adapter) int { return cmp.Compare(a.index, b.index) })
	return list, nil
}

func readAdapter(sys fs.FS, name string) (adapter, bool) {
	attribute := func(file string) string {
		b, _ := fs.ReadFile(sys, name+"/"+file) // what is not there is empty
		return strings.TrimSpace(string(b))
	}
	index, err := strconv.Atoi(attribute("ifindex"))
	if err != nil || attribute("type") != ethernet {
		return adapter{}, false
	}
	mac, err := net.ParseMAC(attribute("address"))
	if err != nil || len(mac) != 6 || string(mac) == strings.Repeat("\x00", 6) {
		return adapter{}, false
	}
	_, err = fs.Stat(sys, name+"/device")
	return adapter{
		name:     name,
		index:    index,
		mac:      strings.ToUpper(hex.EncodeToString(mac)),
		physical: err == nil,
	}, true
}

// choose returns the adapter after which a device is named: the first that is
// physical, else the first.
func choose(list []adapter) (adapter, bool) {
	if n := slices.IndexFunc(list, func(a adapter) bool { return a.physical }); n >= 0 {
		return list[n], true
	}
	if len(list) > 0 {
		return list[0], true
	}
	return adapter{}, false
}

// idFile is the name of the id in the store.
const idFile = "device-id"

// A keptID is the MAC address the device was named after, so that an adapter
// that comes or goes does not make it another device.
type keptID struct {
	ID      string `json:"id"`
	Adapter string `json:"adapter"`
}

var errNoAdapter = errors.New("no network adapter with a MAC address is there; set hub.device_id to go without")

// name settles the id of a device that was given none. It waits for the first
// adapter, as one on USB comes late at boot.
func (i *Identities) name(ctx context.Context) error {
	var fault lasting.Fault
	for setbacks := 0; !i.named; setbacks++ {
		id, err := i.ownID()
		if err == nil {
			i.settle(id)
			return nil
		}
		pause := min(time.Second<<min(setbacks, 6), time.Minute) // a look costs nothing
		if now := time.Now(); fault.Say(now, err.Error()) {
			i.log.Warn("the device has no name yet", "err", err, "retry_in", pause, "lasts", fault.For(now).Round(time.Second))
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// ownID is the id that was used before, else that of an adapter.
func (i *Identities) ownID() (string, error) {
	list, err := adapters(i.sys)
	if id := i.keptID(list); id != "" {
		return id, nil
	}
	if err != nil {
		return "", err
	}
	a, ok := choose(list)
	if !ok {
		return "", errNoAdapter
	}
	if !a.physical {
		i.log.Warn("there is no physical network adapter, the device is named after a virtual one; "+
			"set hub.device_id for a name of your own", "adapter", a.name, "id", a.mac)
	} else {
		i.log.Info("the device is named after its network adapter", "adapter", a.name, "id", a.mac)
	}
	i.save(idFile, keptID{ID: a.mac, Adapter: a.name})
	return a.mac, nil
}

// DefaultID is the id that a device without a configured one has, or would get: the one
// in its state directory, which may be in use, else that of an adapter. It keeps nothing.
// The state may be nil; sys is /sys/class/net.
func DefaultID(state, sys fs.FS) (string, error) {
	if state != nil {
		var kept struct{ Value keptID }
		data, err := fs.ReadFile(state, idFile)
		if err == nil && json.Unmarshal(data, &kept) == nil && isMAC(kept.Value.ID) {
			return kept.Value.ID, nil
		}
	}
	list, err := adapters(sys)
	if err != nil {
		return "", err
	}
	a, ok := choose(list)
	if !ok {
		return "", errNoAdapter
	}
	return a.mac, nil
}

func isMAC(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 6
}

// keptID returns the id of earlier runs, empty if there is none. A machine
// that has no such adapter may run from a copied card.
func (i *Identities) keptID(list []adapter) string {
	var kept keptID
	if _, err := i.store.Load(idFile, &kept); err != nil {
		i.log.Warn("the id of the last time cannot be read", "err", err)
		return ""
	}
	if !isMAC(kept.ID) {
		return ""
	}
	if len(list) > 0 && !slices.ContainsFunc(list, func(a adapter) bool { return a.mac == kept.ID }) {
		i.log.Warn("the device keeps the name of a network adapter that is not there; if this card was copied from another device, "+
			"remove the file from the state directory", "file", idFile, "id", kept.ID, "adapter", kept.Adapter)
	}
	return kept.ID
}
