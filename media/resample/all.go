package resample

// All resamples a whole clip. Errors are those of New.
func All(src []int16, fromHz, toHz int) ([]int16, error) {
	r, err := New(fromHz, toHz)
	if err != nil {
		return nil, err
	}
	return r.Process(make([]int16, 0, r.MaxOut(len(src))), src), nil
}
