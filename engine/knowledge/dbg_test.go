package knowledge
import ("testing";"fmt";"math/rand")
type res struct{first,above,below,q,u int}
func eval(bs []bench, xs []*Index, w weights, line float64) (r res){
 for i,b:=range bs { x:=xs[i]; x.w=w
  for _,q:=range b.Questions { r.q++; h:=x.Search(q.Q,1,0); if len(h)>0&&h[0].ID==q.ID {r.first++; if h[0].Score>=line {r.above++}}}
  for _,q:=range b.Unanswerable { r.u++; h:=x.Search(q,1,0); if len(h)==0||h[0].Score<line {r.below++}}
 }
 return }
func TestSweep(t *testing.T){
 bs:=[]bench{load(t,"parcel"),load(t,"hotel")}; var xs []*Index
 for _,b:=range bs { xs=append(xs,Build(b.sources())) }
 for _,l:=range []float64{.35,.4,.45,.5} { fmt.Println(l, eval(bs,xs,standard(),l)) }
 rng:=rand.New(rand.NewSource(1))
 best:=-1.0; bw:=standard(); bl:=.42
 score:=func(w weights,l float64) (float64,res) { r:=eval(bs,xs,w,l); return float64(r.above)+0.3*float64(r.first)+1.2*float64(r.below), r }
 best,_=score(bw,bl)
 for i:=0;i<1500;i++ {
  w:=bw; l:=bl
  p:=[]*float64{&w.unseen,&w.floor,&w.lightUnseen,&w.related,&w.title,&w.heading,&w.answer,&w.apart,&w.fact,&w.noFact,&w.back,&w.doubt,&l}
  for k:=0;k<2;k++ { j:=rng.Intn(len(p)); *p[j]*=0.8+0.4*rng.Float64(); if *p[j]>1 {*p[j]=1} }
  s,r:=score(w,l)
  if s>=best { if s>best {fmt.Printf("%.1f line %.2f %+v %+v\n",s,l,r,w)}; best=s;bw=w;bl=l }
 }
}
