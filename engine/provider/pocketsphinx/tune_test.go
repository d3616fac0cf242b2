package pocketsphinx
import ("testing";"os";"fmt";"os/exec";"strings";"bytes";"encoding/binary";"path/filepath";"syscall";"time";"strconv"
"flametree/engine/provider"
"flametree/engine/provider/pocketsphinx/lm")
func rd(p string)[]int16{ b,_:=os.ReadFile(p); i:=bytes.Index(b,[]byte("data")); b=b[i+8:]; o:=make([]int16,len(b)/2); for k:=range o{o[k]=int16(binary.LittleEndian.Uint16(b[2*k:]))}; return o}
func clip(t *testing.T, voice, text, band string) []int16 {
 dir:="/tmp/ft_wav"; os.MkdirAll(dir,0o755)
 key:=filepath.Join(dir, voice+"_"+strings.ReplaceAll(strings.ReplaceAll(text," ","_"),"'","-"))
 raw:=key+".raw.wav"
 if _,e:=os.Stat(raw); e!=nil { var c *exec.Cmd
  if strings.HasPrefix(voice,"espeak"){ rate:="175"; vv:="en-us"; if _,r,ok:=strings.Cut(voice,"@");ok{rate=r}; if _,r,ok:=strings.Cut(voice,"~");ok{vv=r; vv,_,_=strings.Cut(vv,"@")}; c=exec.Command("espeak-ng","-v",vv,"-s",rate,"-w",raw,text) } else { c=exec.Command("flite","-voice",voice,"-t",text,"-o",raw)}
  if o,e:=c.CombinedOutput();e!=nil{t.Fatal(string(o))} }
 out:=key+"."+band+".wav"
 if _,e:=os.Stat(out); e!=nil {
  if band=="8" { m:=key+".u.wav"
   if o,e:=exec.Command("sox",raw,"-r","8000","-e","u-law","-b","8",m,"pad","0.3","0.4").CombinedOutput();e!=nil{t.Fatal(string(o))}
   exec.Command("sox",m,"-r","16000","-e","signed","-b","16",out).Run(); os.Remove(m)
  } else { exec.Command("sox",raw,"-r","16000","-b","16",out,"pad","0.3","0.4").Run() } }
 return rd(out) }
func cpu() float64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return float64(r.Utime.Nano()+r.Stime.Nano())/1e9 }
func dist(a,b []string)(int){ d:=make([][]int,len(a)+1); for i:=range d{d[i]=make([]int,len(b)+1);d[i][0]=i}; for j:=range d[0]{d[0][j]=j}
 for i:=1;i<=len(a);i++{for j:=1;j<=len(b);j++{c:=1; if a[i-1]==b[j-1]{c=0}; d[i][j]=min(d[i-1][j-1]+c,d[i-1][j]+1,d[i][j-1]+1)}}; return d[len(a)][len(b)]}
func envf(k string, v float64) float64 { if s:=os.Getenv(k);s!=""{ f,_:=strconv.ParseFloat(s,64);return f}; return v}
func TestTune(t *testing.T){
 bts,_:=os.ReadFile("/usr/share/pocketsphinx/model/en-us/en-us.lm.bin")
 tr,_:=lm.ReadTrie(bts)
 if os.Getenv("NOBG")!="" {tr=nil}
 dict,err:=readDictionary("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict"); if err!=nil{t.Fatal(err)}
 gen:=lm.NewGeneral(lm.Options{Background:tr,Known:dict.known})
 s:=defaultSettings()
 s.lw=envf("LW",s.lw); s.wip=envf("WIP",s.wip); s.fwdflat=os.Getenv("NOFLAT")==""; s.bestpath=os.Getenv("NOBEST")==""
 s.beam=envf("BEAM",s.beam); s.wbeam=envf("WBEAM",s.wbeam); s.pbeam=envf("PBEAM",s.pbeam); s.maxhmmpf=int(envf("MAXHMM",float64(s.maxhmmpf)));s.maxwpf=int(envf("MAXWPF",float64(s.maxwpf))); s.vad=envf("VAD",s.vad); s.fillprob=envf("FILL",s.fillprob); s.silprob=envf("SIL",s.silprob)
 band:=os.Getenv("BAND"); if band==""{band="8"}
 vec:=[13]float32{44.08,27.21,-30.05,50.15,-17.30,-0.49,17.52,-23.77,13.66,-14.95,3.47,9.42,-15.38}
 if band=="16"{vec=[13]float32{54.28,9.80,-2.39,32.53,-2.91,-2.35,9.03,-6.94,-2.86,-7.26,5.96,0.85,-3.46}}
 if m:=os.Getenv("CMN");m!=""{ for i,x:=range strings.Split(m,","){f,_:=strconv.ParseFloat(x,32);vec[i]=float32(f)}}
 set:=os.Getenv("SET"); if set==""{set="dev"}
 lines,_:=os.ReadFile("testdata/"+set+".txt")
 voices:=strings.Fields(os.Getenv("VOICES")); if len(voices)==0{voices=[]string{"rms","slt","awb","espeak"}}
 type st struct{err,n int}
 res:=map[string]*st{}
 rnn:=0.0
 var held [][cepstra]float32
 var fr *front; var tf *transform
 var accum [13]float64; nacc:=0.0
 if os.Getenv("FRONT")!="" { fr,_=newFront(false,s.vad); tf=cosine()
  if bf:=os.Getenv("BANDF"); bf!="" { b,_:=os.ReadFile(bf); tf=banded(string(b)) } }
 var sec,used,initS float64
 var sum [13]float64; nsum:=0.0
 for _,kb:=range []string{"debit","tickets"}{
  txt,_:=os.ReadFile("testdata/"+kb+".txt")
  m:=gen.Build(provider.Hints{Texts:[]string{string(txt)}})
  dir:=t.TempDir()
  f,_:=os.Create(dir+"/x.arpa"); m.WriteARPA(f); f.Close()
  var db bytes.Buffer
  for _,w:=range m.Words(){ for i,p:=range dict.pronounce(w,m.Acronym(w)){ if i==0{fmt.Fprintf(&db,"%s %s\n",w,p)}else{fmt.Fprintf(&db,"%s(%d) %s\n",w,i+1,p)}}}
  os.WriteFile(dir+"/x.dict",db.Bytes(),0o644)
  c0:=cpu()
  d,err:=newDecoder("/usr/share/pocketsphinx/model/en-us/en-us",dir+"/x.dict",dir+"/x.arpa",s)
  if err!=nil{t.Fatal(err)}
  initS+=cpu()-c0
  for _,v:=range voices{ for _,l:=range strings.Split(strings.TrimSpace(string(lines)),"\n"){ k,text,_:=strings.Cut(l,"|"); if k!=kb{continue}
   pcm:=clip(t,v,text,band)
   if g:=envf("FOLD",0); g>0 { q:=make([]int16,len(pcm)); sg:=1.0; b:=envf("FOLDB",0); py:=0.0; for i,x:=range pcm { y:=float64(x)*sg*g; sg=-sg; o:=y+b*py; py=y; q[i]=int16(max(-32768,min(32767,float64(x)+o))) }; pcm=q }
   if g:=envf("GAIN",1); g!=1 { q:=make([]int16,len(pcm)); for i,x:=range pcm { q[i]=int16(max(-32768,min(32767,float64(x)*g)))}; pcm=q }
   if os.Getenv("TWICE")!="" { d.stream(&vec); for k:=0;k<8;k++ {d.start(); for i:=0;i<len(pcm);i+=320{ d.process(pcm[i:min(len(pcm),i+320)]) }; d.end()}; mv:=d.mean(); d.stream(&mv) }
   c0:=cpu()
   if os.Getenv("TWICE")=="" {d.stream(&vec)}
 d.start(); if fr==nil { for i:=0;i<len(pcm);i+=320{ d.process(pcm[i:min(len(pcm),i+320)]) } } else {
    fr.stream(); fr.start()
    tau:=envf("TAU",0); var rs [13]float64; rn:=0.0; held=nil
    for i:=0;i<len(pcm);i+=320{ fr.process(pcm[i:min(len(pcm),i+320)],func(r [][filters]float32,_ int){ o:=make([][cepstra]float32,len(r)); for k:=range r{ tf.apply(&r[k],&o[k]); for q:=range o[k]{accum[q]+=float64(o[k][q])}; nacc++; if tau>0 { for q:=range o[k]{rs[q]+=float64(o[k][q])}; rn++ } }; if tau>0 { var m [13]float32; for q:=range m{ m[q]=float32((tau*float64(vec[q])+rs[q])/(tau+rn)) }; d.setMean(&m) }; rnn=rn; if rn<envf("HOLD",0) { held=append(held,o...); return }; { for len(held)>0 { n:=min(60,len(held)); d.cepstrum(held[:n]); held=held[n:] }; d.cepstrum(o) } }) } }
   for len(held)>0 { n:=min(60,len(held)); d.cepstrum(held[:n]); held=held[n:] }
   if os.Getenv("DBG")!="" {fmt.Println("frames",d.frames(), rnn)}
   d.end()
   var hyp []string; for _,s:=range d.segments(){ if !s.filler(){hyp=append(hyp,s.word)} }
   used+=cpu()-c0; sec+=float64(len(pcm))/16000
   ref:=strings.Fields(text); e:=dist(ref,hyp)
   r:=res[v]; if r==nil{r=&st{};res[v]=r}; r.err+=e; r.n+=len(ref)
   if os.Getenv("SHOW")!="" {fmt.Printf("%s %d REF %s\n         HYP %s\n",v,e,text,strings.Join(hyp," "))}
   if os.Getenv("LEARN")!="" { mv:=d.mean(); for i:=range mv{sum[i]+=float64(mv[i])}; nsum++ }
  }}
  d.free() }
 _=time.Now
 te,tn:=0,0
 fmt.Printf("%s %sk: ",set,band)
 for _,v:=range voices{ fmt.Printf("%s %.1f%% ",v,100-100*float64(res[v].err)/float64(res[v].n)); te+=res[v].err;tn+=res[v].n}
 fmt.Printf("all %.1f%% rtf %.3f init %.0fms\n",100-100*float64(te)/float64(tn),used/sec,initS*500)
 if nacc>0&&os.Getenv("LEARN")!="" { for i:=range accum{ fmt.Printf("%.2f,",accum[i]/nacc)}; fmt.Println() }
 if nsum>0 { for i:=range sum{ fmt.Printf("%.2f,",sum[i]/nsum)}; fmt.Println() }
}

func banded(txt string) *transform { var rows [][]float64
 for _,l:=range strings.Split(strings.TrimSpace(txt),"\n"){ var r []float64; for _,x:=range strings.Fields(l){f,_:=strconv.ParseFloat(x,64);r=append(r,f)}; rows=append(rows,r)}
 c:=cosine(); t:=&transform{}; L:=len(rows)-1
 for i:=range cepstra{ for j:=0;j<L;j++{ sum:=0.0; for k:=0;k<25;k++{ sum+=float64(c.weights[i][k])*rows[j][k]}; t.weights[i][j]=float32(sum)}
  sum:=0.0; for k:=0;k<25;k++{sum+=float64(c.weights[i][k])*rows[L][k]}; t.offset[i]=float32(sum) }
 return t }
