package hubsim

import "strings"

// The topics of an IoT hub (contract, sections 3.1, 4.1, 5, 6.1). There are no
// others.
const (
	filterMethods = "$iothub/methods/POST/#"
	filterTwinRes = "$iothub/twin/res/#"
	filterDesired = "$iothub/twin/PATCH/properties/desired/#"

	methodPrefix = "$iothub/methods/POST/"
	answerPrefix = "$iothub/methods/res/"

	twinGetPrefix = "$iothub/twin/GET/?"
	reportPrefix  = "$iothub/twin/PATCH/properties/reported/?"
	twinResPrefix = "$iothub/twin/res/"
	desiredPrefix = "$iothub/twin/PATCH/properties/desired/"
)

func d2cPrefix(id string) string { return "devices/" + id + "/messages/events/" }
func c2dPrefix(id string) string { return "devices/" + id + "/messages/devicebound/" }
func c2dFilter(id string) string { return c2dPrefix(id) + "#" }

// listedFilter reports whether a device may subscribe to filter (H22).
func listedFilter(id, filter string) bool {
	switch filter {
	case c2dFilter(id), filterMethods, filterTwinRes, filterDesired:
		return true
	}
	return false
}

// d2cBag cuts the property bag out of a D2C topic of device id. It reports
// false for every other topic. A slash after the bag is tolerated (contract,
// section 3.2); inside, it would make another topic.
func d2cBag(id, topic string) (string, bool) {
	bag, ok := strings.CutPrefix(topic, d2cPrefix(id))
	if !ok || strings.ContainsAny(topic, "+#\x00") {
		return "", false
	}
	bag = strings.TrimSuffix(bag, "/")
	return bag, !strings.Contains(bag, "/")
}

// requestID reads the "$rid" of what follows "/?" in a topic. It is the
// device's or the hub's own affair and is not decoded.
func requestID(query string) (string, bool) {
	for part := range strings.SplitSeq(query, "&") {
		if rid, ok := strings.CutPrefix(part, "$rid="); ok {
			return rid, rid != "" && !strings.ContainsAny(query, "+#\x00")
		}
	}
	return "", false
}
