package knowledge
import ("testing";"fmt";"math/rand";"os";"strings";"github.com/goccy/go-yaml";"flametree/engine/knowledge/lexis")
type ag struct{ Identity string; Knowledge struct{ Core string; FAQs []struct{Question,Answer string}; Texts []struct{Title,Text string}}}
type ex struct{ Answerable []struct{Q,Says string}; Unanswerable []string }
type set struct{ x *Index; ident string; qs []struct{q,says string}; un []string }
func flat(s string) string { var o []string; for _,w:=range lexis.Words(s){o=append(o,w.Text)}; return strings.Join(o," ")}
func sets(t *testing.T) (out []set) {
 for _,n:=range []string{"hotel","parcel"} { b:=load(t,n); s:=set{x:Build(b.sources()),un:b.Unanswerable}
  for _,q:=range b.Questions { s.qs=append(s.qs,struct{q,says string}{q.Q,"id:"+q.ID}) }; out=append(out,s) }
 for _,n:=range strings.Fields(os.Getenv("SETS")) { var a ag; var e ex
  raw,_:=os.ReadFile("../../test/model/testdata/"+n+".yaml"); yaml.Unmarshal(raw,&a); raw,_=os.ReadFile("../../test/model/testdata/"+n+".questions.yaml"); yaml.Unmarshal(raw,&e)
  var src []Source; for _,f:=range a.Knowledge.FAQs { src=append(src,Source{Kind:FAQ,Question:f.Question,Text:f.Answer}) }
  for _,f:=range a.Knowledge.Texts { src=append(src,Source{Kind:Text,Title:f.Title,Text:f.Text}) }
  src=append(src,Source{Kind:Core,Text:a.Knowledge.Core})
  s:=set{x:Build(src),ident:a.Identity,un:e.Unanswerable}
  for _,q:=range e.Answerable { s.qs=append(s.qs,struct{q,says string}{q.Q,q.Says}) }; out=append(out,s) }
 return }
func eval(ss []set, w weights, line float64) (first,above,below,q,u int) {
 for _,s:=range ss { s.x.w=w
  for _,c:=range s.qs { q++; h:=s.x.Find(Query{Text:c.q,Familiar:s.ident,K:1}); if len(h)==0 {continue}
   ok:= "id:"+h[0].ID==c.says || !strings.HasPrefix(c.says,"id:") && strings.Contains(flat(h[0].Text),flat(c.says))
   if ok { first++; if h[0].Score>=line {above++} } }
  for _,c:=range s.un { u++; h:=s.x.Find(Query{Text:c,Familiar:s.ident,K:1}); if len(h)==0||h[0].Score<line {below++} } }
 return }
func TestSweep(t *testing.T){
 ss:=sets(t)
 for _,s:=range ss { for _,l:=range []float64{.38,.42,.46,.5} { f,a,b,q,u:=eval([]set{s},standard(),l); fmt.Print(l,": ",f," ",a,"/",q," ",b,"/",u,"   ") }; fmt.Println() }
 for _,th:=range []float64{.75,.8,.85,.9} { w:=standard(); w.answer=th; w.prose=th+.02; for _,l:=range []float64{.4,.42,.44} {f,a,b,q,u:=eval(ss,w,l); fmt.Println("thing",th,l,f,a,q,b,u)} }
 if os.Getenv("FULL")=="" { return }
 rng:=rand.New(rand.NewSource(3)); bw:=standard(); bl:=.42
 score:=func(w weights,l float64) (float64,string) { f,a,b,q,u:=eval(ss,w,l); return float64(a)/float64(q)*1.0+0.2*float64(f)/float64(q)+1.3*float64(b)/float64(u), fmt.Sprint(f," ",a,"/",q," ",b,"/",u) }
 best,_:=score(bw,bl)
 for i:=0;i<900;i++ { w:=bw; l:=bl
  p:=[]*float64{&w.unseen,&w.soft,&w.floor,&w.lightUnseen,&w.indirect,&w.twice,&w.softMost,&w.thing,&w.title,&w.heading,&w.answer,&w.apart,&w.fact,&w.noFact,&w.back,&w.doubt,&w.prose,&l}
  for k:=0;k<2;k++ { j:=rng.Intn(len(p)); *p[j]*=0.8+0.4*rng.Float64(); if *p[j]>1.6 {*p[j]=1.6}; if p[j]!=&w.unseen && p[j]!=&w.thing && *p[j]>1 {*p[j]=1} }
  s,r:=score(w,l)
  if s>best+1e-9 { fmt.Printf("%.4f line %.3f %s %+v\n",s,l,r,w); best=s;bw=w;bl=l }
 }
}
