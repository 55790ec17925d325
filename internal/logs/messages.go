package logs

// lastID is the MESSAGE_ID of the error that ends the program.
const lastID = "72c0af7ccc3b489da0417a12f5025a6f"

// messageIDs are the messages that the journal catalog explains (systemd/tasmota-azd.catalog).
// An id stays with the meaning of its message, also when the words become others. The
// test of the catalog, at the root of the repository, compares all three: code, this
// list and the catalog.
var messageIDs = map[string]string{
	"starting":        "dd597daea28f47168b7e7fa56dabfa25",
	"relays stand":    "65036d5b87d54a27b40cc56857980df6",
	"stopped":         "a9eb16d12c0a46e6807398a49fc08b8a",
	"relay switched":  "de24f4c26b6941d28b43ff27e2650919",
	"relay held back": "7fd1c728d4a64b4fa38a7d79ad15020e",
	"relay lost its line; trying to get it back":                                  "2e785da7fc104e3690d4539fcaadbc55",
	"relay has its line back":                                                     "0e6f038fb9874711b92a5e9f29b618a3",
	"the pins are not there yet, trying for 10 s":                                 "7fb9f720b5dc431d971e483093cc46eb",
	"the daemon was killed when it was about to switch a relay; this is done now": "ee24bad23fd84bd3b0a95618f4cf2fbd",
	"command done": "2421212b1ed84d1aa3cf26da1b696f27",
	"message ignored: it has no property Topic, so it names no command; send the application property Topic with a command such as /power, and its argument such as toggle as the body": "4ffce32e3c3a4104922ec22477007071",
	"method not run":                    "d578c852e25d4951b6b7c4b875403e23",
	"desired property not applied":      "cc6a6e7a03d54e0391f9eefd62b6148f",
	"connected":                         "d1b6f1dc4f9241918cd6fd70f331fe2c",
	"not connected":                     "db00c205d3c245c59202b4577a428380",
	"session ended":                     "37ac1a12ecb8415598f6ad33d36b264e",
	"token renewed":                     "d97a5a4f4c534b3e9fb996611f6e6f65",
	"the session cannot be renewed yet": "fd66932683da484da9b0b645750576c5",
	"too many messages wait for the hub, the oldest are dropped":                                                             "5574ce7615974825a1de5ba91e09575f",
	"messages were dropped while there was no session":                                                                       "aa119932f4314eae8ae09c3f97d86642",
	"messages arrive faster than they are dealt with and are dropped; the hub delivers them again":                           "09036c02999142abb6f5972a959800c1",
	"most of the day's messages are spent: what the calendar wants is no longer sent, then changes, in the end answers wait": "f9fccc3298d547f186c9b8059a5d74c5",
	"the day's messages are spent: answers wait until the next day of UTC begins":                                            "2bd58a644c1a47cba6cf6849855a1aef",
	"time proven":       "55d65dcd9418478aa5c3a478122204f8",
	"time proven again": "9da52ff4d9d14c419661fcb14992ff6f",
	"time not proven yet: no connection before it is, relays work on": "675c3dc2869a4405aac5c89ee3b4976a",
	"time not checked: what was proven stays":                         "9939444f27dd4dc9a47e78b6037b890d",
	"proven time corrected":                                           "2178e828bf294e1ea5f158b65ba3d6fe",
	"no hub yet":                                                      "805f512f53184e78ba20d4f057967acb",
	"DPS gives this device no hub":                                    "3615892b69364715acf820e965e481c6",
	"the hub refused the primary key and takes the secondary one, which is used from now on: is the primary key still right?":               "1734a554f2db4ba5a10ad411efaa22a3",
	"the hub is reached by WebSocket on port 443 and not on its port for MQTT, which is tried again after a day: does a firewall block it?": "07ad58c0ce86489fa3766b1443bcf487",
	"the certificate expires soon: put a new one there":                        "f184efcd0924445bbd682b2c47adbdb6",
	"the certificate has expired":                                              "e6a09ea0e6da446b8abc8281ffc818e6",
	"the certificate in the files cannot be used, the one before stays in use": "3b6862b9ef524629aa4f570830dd4346",
	"state not saved: after a restart the relays would return to what was saved before, and a command that the hub delivers again would run again": "eb86eb8d2de14d098004ddce21bdd755",
	"state saved again":                                                            "29686c0420134b5c9616acf285a99e8e",
	"state file is broken and was set aside":                                       "f3c352392cd44bb5990577ab44a35aa7",
	"configuration reloaded":                                                       "e377e7e1c9074a58b1c5f1adaa10e0fa",
	"configuration not taken, the one before stays in force":                       "924ec9e1df4b45a18c528b7e7cdd1106",
	"a change in the configuration needs a restart: systemctl restart tasmota-azd": "9254eb504c32411b997f185734ac635f",
	"configuration changed":                                                        "66c6ef7a0540480ea3cf46159343a3f2",
	"nobody on this machine can ask the daemon":                                    "7d0cc7af1fc443059b5e07aaca7b2682",
}
