package lm
import ("testing";"os";"strings";"flametree/engine/provider")
func BenchmarkBuild(b *testing.B){
 bts,_:=os.ReadFile("/usr/share/pocketsphinx/model/en-us/en-us.lm.bin")
 tr,_:=ReadTrie(bts)
 dict,_:=os.ReadFile("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")
 known:=map[string]bool{}
 for _,l:=range strings.Split(string(dict),"\n"){ w,_,_:=strings.Cut(l," "); known[w]=true}
 g:=NewGeneral(Options{Background:tr,Known:func(w string)bool{return known[w]}})
 txt,_:=os.ReadFile("../testdata/debit.txt")
 for b.Loop(){ g.Build(provider.Hints{Texts:[]string{string(txt)}}) } }
