package pocketsphinx
import ("testing";"os";"strings";"fmt";"math")
func rowsOf(t *testing.T, pcm []int16) [][filters]float32 {
 f,err:=newFront(true,2); if err!=nil{t.Fatal(err)}; defer f.free(); f.stream(); f.start()
 var out [][filters]float32
 for i:=0;i<len(pcm);i+=320{ f.process(pcm[i:min(len(pcm),i+320)],func(r [][filters]float32,_ int){ out=append(out,r...)})}
 return out }
func solve(a [][]float64, b [][]float64) { n:=len(a)
 for c:=0;c<n;c++{ p:=c; for r:=c;r<n;r++{ if math.Abs(a[r][c])>math.Abs(a[p][c]){p=r}}; a[c],a[p]=a[p],a[c]; b[c],b[p]=b[p],b[c]
  for r:=0;r<n;r++{ if r!=c { f:=a[r][c]/a[c][c]; for k:=c;k<n;k++{a[r][k]-=f*a[c][k]}; for k:=range b[r]{b[r][k]-=f*b[c][k]} } } }
 for c:=0;c<n;c++{ for k:=range b[c]{b[c][k]/=a[c][c]} } }
func TestTrain(t *testing.T){
 var texts []string
 for _,k:=range []string{"debit","tickets"}{ b,_:=os.ReadFile("testdata/"+k+".txt"); for _,s:=range strings.FieldsFunc(string(b),func(r rune)bool{return strings.ContainsRune(".?:\n",r)}){ s=strings.TrimSpace(s); if len(s)>25&&len(s)<120&&!strings.ContainsAny(s,"0123456789/€$"){texts=append(texts,s)} } }
 fmt.Println(len(texts),"texts")
 if len(texts)>45 {texts=texts[:45]}
 voices:=strings.Fields(os.Getenv("TV")); if len(voices)==0 {voices=[]string{"rms","slt","awb","espeak"}}
 L:=20
 n:=L+1
 A:=make([][]float64,n); B:=make([][]float64,n); for i:=range A{A[i]=make([]float64,n);B[i]=make([]float64,25)}
 var frames, m8,m16 int
 base:=make([]float64,25)
 var lowdiff [25]float64
 for _,v:=range voices{ for _,s:=range texts{ x:=rowsOf(t,clip(t,v,s,"8")); y:=rowsOf(t,clip(t,v,s,"16")); m8+=len(x);m16+=len(y)
  pk:=float32(-100); for _,r:=range y{ s:=float32(0); for _,q:=range r{s+=q}; pk=max(pk,s/25)}
  for i:=0;i<min(len(x),len(y));i++{ sm:=float32(0); for _,q:=range y[i]{sm+=q}; if sm/25 < pk-float32(envf("PK",10)) {continue}
   in:=make([]float64,n); for j:=0;j<L;j++{in[j]=float64(x[i][j])}; in[L]=1
   for a:=0;a<n;a++{ for b:=0;b<n;b++{A[a][b]+=in[a]*in[b]}; for c:=0;c<25;c++{B[a][c]+=in[a]*float64(y[i][c])} }
   for c:=0;c<25;c++{ base[c]+=float64(y[i][c])*float64(y[i][c]); d:=float64(x[i][c]-y[i][c]); lowdiff[c]+=d*d }
   frames++ } } }
 fmt.Println("frames",frames,m8,m16)
 B0:=make([][]float64,n); for i:=range B{B0[i]=append([]float64(nil),B[i]...)}
 for i:=0;i<L;i++{A[i][i]+=float64(frames)*envf("RIDGE",0.02)}
 solve(A,B)
 for c:=0;c<25;c++{ fmt.Printf("band %d rms diff 8k-16k %.2f\n",c,math.Sqrt(lowdiff[c]/float64(frames))) }
 var sb strings.Builder
 for a:=0;a<n;a++{ for c:=0;c<25;c++{ fmt.Fprintf(&sb,"%.4f ",B[a][c]) }; sb.WriteString("\n") }
 os.WriteFile("/tmp/band.txt",[]byte(sb.String()),0o644)
}
