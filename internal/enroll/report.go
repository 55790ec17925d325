package enroll

import (
	"fmt"
	"slices"
	"strings"
)

// Report says in words what was done. It holds no secret.
func (o Outcome) Report() string {
	var b strings.Builder
	switch k := o.Kept; {
	case k.Sealed != "":
		with := "the key of this machine (/var/lib/systemd/credential.secret), since there is no TPM2 chip"
		if k.TPM {
			with = "the TPM2 chip and the key of this machine"
		}
		fmt.Fprintf(&b, "The key of this device is sealed in %s with %s. For the service, %s says so.\n", k.Sealed, with, k.DropIn)
		if k.TPM {
			b.WriteString("Sealing by a TPM2 chip is untested in this project: restart the machine once, and see that the service starts.\n")
		}
	case k.Why != nil:
		fmt.Fprintf(&b, "The key of this device is NOT sealed, as %v. It is in %s, which the service alone may read.\n", k.Why, k.File)
	default:
		fmt.Fprintf(&b, "The key of this device is in %s.\n", k.File)
	}
	if o.Try.Meaning == Group {
		b.WriteString("The key of the group was not kept: here is nothing from which the key of another device could be made.\n")
	}
	if len(o.Changes) == 0 {
		b.WriteString("The configuration said so already.\n")
		return b.String()
	}
	b.WriteString("In the configuration:\n")
	for _, c := range slices.Backward(o.Changes) { // each was put before the others
		switch {
		case c.Secret:
			fmt.Fprintf(&b, "  %s: removed, with the secret in it\n", c.Path())
		case c.Remove:
			fmt.Fprintf(&b, "  %s: switched off\n", c.Path())
		default:
			fmt.Fprintf(&b, "  %s: %s\n", c.Path(), c.Value)
		}
	}
	return b.String()
}
