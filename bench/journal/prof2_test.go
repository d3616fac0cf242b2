package journal
import ("testing";"time";"context";"path/filepath")
func TestProfTwo(t *testing.T){
 s:=system{"journal", openJournal}
 one,err:=measure(context.Background(), s, filepath.Join(t.TempDir(),"x"), 256, 6*time.Second)
 if err!=nil{t.Fatal(err)}
 t.Logf("%.0f/s cpu %v", float64(one.events)/one.took.Seconds(), one.cpu/time.Duration(one.events))
}
