package journal

import "encoding/json"

// Written returns the records of a decision and an outcome, as they are written and as
// encoding/json would write them.
func Written(d Decision, o Outcome) (byHand, byJSON [][]byte) {
	for _, r := range []record{{Epoch: "e"}, {Decide: &d}, {Done: &o}, {Past: &o}, {Sent: 1 << 63}} {
		text, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		byHand, byJSON = append(byHand, r.append(nil)), append(byJSON, text)
	}
	return byHand, byJSON
}
