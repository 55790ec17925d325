package hubsim

var (
	EncodeBag = encodeBag
	DecodeBag = decodeBag
	D2CBag    = d2cBag
)

// SetLastPacketID makes the next packet id of a connected device id + 1.
func (s *Sim) SetLastPacketID(device string, id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[device].session.lastID = id
}
