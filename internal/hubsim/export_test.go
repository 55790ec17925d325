package hubsim

var (
	EncodeBag = encodeBag
	DecodeBag = decodeBag
	D2CBag    = d2cBag
)
