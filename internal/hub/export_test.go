package hub

// SetChance replaces what is random in waits and renewals: a number in [0, 1).
func (c *Client) SetChance(f func() float64) { c.chance = f }

// Seams that the tests of the vectors need.
var (
	Decode   = decode
	Encode   = encode
	Inbound  = inboundPrefix
	Outbound = outboundPrefix
	Upgrade  = upgrade
	Tunnel   = tunnel

	DecodeMethod = decodeMethod
	AnswerTopic  = answerTopic

	TCPDialer = tcpDialer

	DecodeTwin       = decodeTwin
	DecodeTwinAnswer = decodeTwinAnswer
	DecodeDesired    = decodeDesired
)

// CheckFrames reads packets in chunks as they come from the network.
func CheckFrames(chunks ...[]byte) error {
	var f frames
	for _, c := range chunks {
		if err := f.check(c); err != nil {
			return err
		}
	}
	return nil
}

func (a twinAnswer) RID() string { return a.rid }
func (a twinAnswer) Status() int { return a.status }
