package journal
import ("testing";"time";"context";"path/filepath";"syscall";"os")
func TestProfTwo(t *testing.T){
 d,_:=os.MkdirTemp(os.Getenv("D"),"x"); defer os.RemoveAll(d)
 ss:=[]system{{"journal", openJournal},{"pebble", openPebble(345)}}
 if os.Getenv("ONLY")!="" { ss=ss[:1] }
 for i:= range 3 {
 for _,s:=range ss {
 var a,b syscall.Rusage
 syscall.Getrusage(0,&a)
 one,err:=measure(context.Background(), s, filepath.Join(d,s.name+string(rune('0'+i))), 256, 3*time.Second)
 if err!=nil{t.Fatal(err)}
 syscall.Getrusage(0,&b)
 n:=float64(one.events)
 t.Logf("%8s %.0f/s cpu %v user %.1f sys %.1f", s.name, n/one.took.Seconds(), one.cpu/time.Duration(one.events), float64(b.Utime.Nano()-a.Utime.Nano())/n/1e3, float64(b.Stime.Nano()-a.Stime.Nano())/n/1e3)
 }}
}
