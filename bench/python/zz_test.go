package python_test
import ("testing";"os";"flametree/bench/python")
func TestZZ(t *testing.T) { r, err := python.Run(t.Context(), python.Options{}); if err != nil { t.Fatal(err) }; r.Table(os.Stdout) }
