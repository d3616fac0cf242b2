package knowledge
import ("testing";"fmt";"slices")
func TestWhy(t *testing.T){
 for _,s:=range sets(t) { x:=s.x
 for _,q:=range s.un {
 qq:=Query{Text:q,Familiar:s.ident,K:1}
 h:=x.Find(qq); if len(h)==0||h[0].Score<.42 {continue}
 fmt.Printf("%.2f %s -> %s %.60q\n   ",h[0].Score,q,h[0].Source,h[0].Text); c:=&x.chunks[h[0].chunk]
 for _,a:=range x.question(qq,x.need(qq)) { fmt.Printf("[%.1f",a.weight); for _,o:=range a.any { in:=slices.Contains(c.question,o.term)||slices.Contains(c.title,o.term); for _,s:=range c.sentences {in=in||slices.Contains(s.own,o.term)||slices.Contains(s.heading,o.term)}; if in {fmt.Printf(" %s %.2f",x.names[o.term],o.fit)}}; fmt.Print("] ") }
 fmt.Println() } }
}
