// Package report is how every bench says what it measured: as a table for
// people, as one JSON object of one shape for programs, and as a page with
// plots that needs nothing from any network. It measures nothing, and it
// judges only what it is told to judge: a Gate is a figure that was promised
// and is shown as met or not met, a Check is a sum that must come out or the
// run is worthless.
package report
