package knowledge
import ("testing";"fmt";"os";"flametree/engine/knowledge/lexis")
func TestWhy(t *testing.T){
 ss:=sets(t); x:=ss[len(ss)-1].x; q:=os.Getenv("Q")
 qq:=Query{Text:q,Familiar:ss[len(ss)-1].ident,K:5}
 for _,a:=range x.question(qq,lexis.Asks(q)) { fmt.Printf("%.2f content %v fact %v:",a.weight,a.content,a.fact); for _,o:=range a.any { fmt.Printf(" %s %.2f",x.names[o.term],o.fit)}; fmt.Println() }
 for _,h:=range x.Find(qq) { fmt.Printf("%.2f %s %.90q\n",h.Score,h.Source,h.Text) }
}
