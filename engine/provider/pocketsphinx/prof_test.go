package pocketsphinx
import ("testing";"os";"fmt")
func BenchmarkVocab(b *testing.B){ l:=newLibrary(b.TempDir(),"/usr/share/pocketsphinx/model/en-us"); l.base(); h:=hints(b,"debit"); i:=0
 for b.Loop(){ i++; h.Key=fmt.Sprint(i); if _,err:=l.get(h);err!=nil{b.Fatal(err)} }; _=os.Args }
