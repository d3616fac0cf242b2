package journal
import ("testing";"time";"context";"path/filepath";"syscall";"runtime")
func TestProfTwo(t *testing.T){
 for range 2 {
 for _,s:=range []system{{"journal", openJournal},{"pebble", openPebble(345)}} {
 var a,b syscall.Rusage
 var m1,m2 runtime.MemStats
 runtime.ReadMemStats(&m1)
 syscall.Getrusage(0,&a)
 one,err:=measure(context.Background(), s, filepath.Join(t.TempDir(),"x"), 256, 4*time.Second)
 if err!=nil{t.Fatal(err)}
 syscall.Getrusage(0,&b)
 runtime.ReadMemStats(&m2)
 n:=float64(one.events)
 t.Logf("%8s %.0f/s cpu %v user %.1f sys %.1f µs nv %.3f niv %.3f per ev; minflt %.3f gcs %d alloc/ev %.0f n %.1f", s.name, n/one.took.Seconds(), one.cpu/time.Duration(one.events), float64(b.Utime.Nano()-a.Utime.Nano())/n/1e3, float64(b.Stime.Nano()-a.Stime.Nano())/n/1e3, float64(b.Nvcsw-a.Nvcsw)/n, float64(b.Nivcsw-a.Nivcsw)/n, float64(b.Minflt-a.Minflt)/n, m2.NumGC-m1.NumGC, float64(m2.TotalAlloc-m1.TotalAlloc)/n, float64(m2.Mallocs-m1.Mallocs)/n)
 }}
}
