// Package matrix_test holds the table of what the telephony of a whole server
// does with which foreign program over which transport. Every feature has a
// foreign client, or the test fails; the clients are sipp, baresip, linphone,
// kamailio and a browser. Nothing here speaks SIP of our own to the server.
package matrix_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}
