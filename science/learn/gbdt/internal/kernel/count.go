package kernel

// count is the twin of the assembly. Written out, with arrays indexed by
// bytes, it has one bounds check per row.
func count(h *Histogram, cells []uint8, tokens []uint64, width int) {
	if width > Width/2 {
		count16(h, cells, tokens)
		return
	}
	count8(h, cells, tokens)
}

// unpack returns a token's gradient and hessian as sums.
func unpack(t uint64) int64 { return int64(int16(t>>16))<<32 | int64(t&0xffff) }

func count16(h *Histogram, cells []uint8, tokens []uint64) {
	for _, t := range tokens {
		v := unpack(t)
		i := int(t>>32) * Width
		bin := (*[16]uint8)(cells[i : i+16])
		h[0][bin[0]] += v
		h[1][bin[1]] += v
		h[2][bin[2]] += v
		h[3][bin[3]] += v
		h[4][bin[4]] += v
		h[5][bin[5]] += v
		h[6][bin[6]] += v
		h[7][bin[7]] += v
		h[8][bin[8]] += v
		h[9][bin[9]] += v
		h[10][bin[10]] += v
		h[11][bin[11]] += v
		h[12][bin[12]] += v
		h[13][bin[13]] += v
		h[14][bin[14]] += v
		h[15][bin[15]] += v
	}
}

func count8(h *Histogram, cells []uint8, tokens []uint64) {
	for _, t := range tokens {
		v := unpack(t)
		i := int(t>>32) * Width
		bin := (*[8]uint8)(cells[i : i+8])
		h[0][bin[0]] += v
		h[1][bin[1]] += v
		h[2][bin[2]] += v
		h[3][bin[3]] += v
		h[4][bin[4]] += v
		h[5][bin[5]] += v
		h[6][bin[6]] += v
		h[7][bin[7]] += v
	}
}
