package sip

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"flametree/engine/fault"
)

// foreign is what a foreign caller, sipp, saw.
type foreign struct{ completed, failed, repeated int }

// sipp has the foreign caller make the calls of a plan.
func (p plan) sipp(ctx context.Context, dir string) (foreign, error) {
	program, err := exec.LookPath("sipp")
	if err != nil {
		return foreign{}, errMissing
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(float64(p.Calls)/p.Rate*float64(time.Second))+time.Minute)
	defer cancel()
	table := filepath.Join(dir, "sipp.csv")
	cmd := exec.CommandContext(ctx, program, p.Target, "-sn", "uac", "-s", p.User, "-i", "127.0.0.200", "-nostdin",
		"-r", strconv.FormatFloat(p.Rate, 'f', -1, 64), "-m", strconv.Itoa(p.Calls), "-d", strconv.FormatInt(p.Hold.Milliseconds(), 10),
		"-trace_stat", "-stf", table, "-fd", "5")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	out, failed := cmd.CombinedOutput()
	f, err := readTable(table)
	if err != nil {
		return f, fmt.Errorf("sipp: %w: %w: %.300s", err, failed, out)
	}
	return f, nil
}

// readTable takes the last line of sipp's statistics.
func readTable(path string) (foreign, error) {
	file, err := os.Open(path)
	if err != nil {
		return foreign{}, err
	}
	defer func() { _ = file.Close() }()
	r := csv.NewReader(file)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = ';', -1, true
	rows, err := r.ReadAll()
	if err != nil {
		return foreign{}, err
	}
	if len(rows) < 2 {
		return foreign{}, fmt.Errorf("its statistics are empty: %w", fault.Unavailable)
	}
	last := rows[len(rows)-1]
	number := func(name string) int {
		for i, title := range rows[0] {
			if title == name && i < len(last) {
				n, _ := strconv.Atoi(last[i])
				return n
			}
		}
		return -1
	}
	return foreign{
		completed: number("SuccessfulCall(C)"), failed: number("FailedCall(C)"), repeated: number("Retransmissions(C)"),
	}, nil
}
