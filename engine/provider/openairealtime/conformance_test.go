package openairealtime_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/provider/duplextest"
	"flametree/engine/provider/openairealtime"
	"flametree/engine/provider/realtime"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait most of the time
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func model(t testing.TB, url string) realtime.Model {
	m, err := openairealtime.New(openairealtime.Options{BaseURL: url, Key: duplextest.Key})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestConformance(t *testing.T) {
	duplextest.Run(t, duplextest.Vendor{Server: duplextest.OpenAI, Model: model})
}
