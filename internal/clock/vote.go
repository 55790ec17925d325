package clock

import "time"

// tolerance is how far two honest servers may be apart beyond what their error
// bounds explain: leap seconds are smeared by some and not by others.
const tolerance = time.Second

// vote returns the indexes of the largest group of samples that agree with one
// of them, the best first: the one with the smallest error. All being equal the
// earlier group counts.
func vote(samples []Sample) []int {
	var best []int
	for i := range samples {
		var group []int
		for j := range samples {
			if agree(samples[i], samples[j]) {
				group = append(group, j)
			}
		}
		if len(group) > len(best) {
			best = group
		}
	}
	for i := range best {
		if samples[best[i]].Error < samples[best[0]].Error {
			best[0], best[i] = best[i], best[0]
		}
	}
	return best
}

func agree(a, b Sample) bool {
	return (a.Offset - b.Offset).Abs() <= tolerance+a.Error+b.Error
}

// enough reports whether agreed of answered samples, from servers asked, are
// believed.
func enough(agreed, answered, asked int) bool {
	if 2*agreed <= answered {
		return false
	}
	return agreed >= 2 || asked <= 2
}
