package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/agent/demo"
	"flametree/engine/fault"
)

// TestAnEndingServerPlacesNoCallAnywhere: not by Twilio either, whose calls need
// none of the room that SIP's do.
func TestAnEndingServerPlacesNoCallAnywhere(t *testing.T) {
	n := stationHouse(t, demo.Files()[0].Text, "", "1m")
	d := actors.Dialling{Agent: "a1", To: "+442079460123"}
	require.NoError(t, n.roomFor(d))
	n.gate.shut()
	require.ErrorIs(t, n.roomFor(d), fault.Unavailable)
}
