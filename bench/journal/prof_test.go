package journal
import ("testing";"time";"context";"path/filepath")
func TestProf(t *testing.T){
 s:=system{"journal", openJournal}
 one,err:=measure(context.Background(), s, filepath.Join(t.TempDir(),"x"), 256, 5*time.Second)
 if err!=nil{t.Fatal(err)}
 t.Logf("%.0f/s cpu %v", float64(one.events)/one.took.Seconds(), one.cpu/time.Duration(one.events))
}
