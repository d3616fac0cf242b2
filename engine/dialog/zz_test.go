package dialog
import ("testing";"strings";"time")
func TestZZ(t *testing.T){
 for _,s:=range []string{strings.Repeat("x",20000),strings.Repeat("a ",20000),strings.Repeat("[",20000),strings.Repeat("[ ",10000),strings.Repeat("1 ",10000),strings.Repeat("**",10000), strings.Repeat("—",7000), strings.Repeat("](",7000),strings.Repeat("\n",20000)}{
  for _,n:=range []int{0,1}{ t0:=time.Now(); cut(s,n); t.Log(s[:4],n,time.Since(t0)) }
 }
}
