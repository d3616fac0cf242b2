package journal
import ("testing";"time";"context")
func TestProf(t *testing.T){
 r,err:=Run(context.Background(), Options{Writers:[]int{256}, Duration: 21*time.Second, Dir: t.TempDir()})
 if err!=nil{t.Fatal(err)}
 for _,row:=range r.Rows { t.Logf("%8s %.0f/s p50 %v p99 %v cpu %v", row.System, row.Rate, row.P50,row.P99,row.CPU) }
 t.Logf("ratio %.2f cpu ratio %.2f", r.Ratios[256], float64(r.Rows[1].CPU)/float64(r.Rows[0].CPU))
}
