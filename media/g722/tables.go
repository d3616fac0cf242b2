package g722

// The tables are those of G.722 6.2, constant and only read.
//
//nolint:gochecknoglobals // constant tables of the Recommendation
var (
	// mirror is every second coefficient of the quadrature mirror filters
	// (table 6-1); the others are the same in reverse.
	mirror = [taps / 2]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

	// levels are the decision levels of the lower band (table 6-2).
	levels = [30]int{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
		786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}
	// negative and positive are the codes of the intervals between them, 1 to 30.
	negative = [31]byte{
		0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19,
		18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
	}
	positive = [31]byte{
		0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
		46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
	}

	// quant6, quant4 and quant2 are the outputs of the inverse quantisers with
	// 6, 4 and 2 bits (tables 6-5, 6-6).
	quant6 = [64]int{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	quant4 = [16]int{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	quant2 = [4]int{-7408, -1616, 7408, 1616}

	// lowMove and highMove are by how much a code moves the logarithmic scale
	// (tables 6-8, 6-11), by code and no longer by magnitude.
	lowMove  = [16]int{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	highMove = [4]int{798, -214, 798, -214}

	// antilog is 2^(i/32) scaled by 2048 (table 6-9).
	antilog = [32]int{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)
