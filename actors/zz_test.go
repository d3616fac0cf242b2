package actors_test
import ("testing";"fmt")
func dump(t *testing.T, c *call) { for _, e := range c.h.Events(t,"s") { fmt.Println(e.Time.Format("05.000"), e.Body.Kind(), fmt.Sprintf("%.150v", e.Body)) } }
