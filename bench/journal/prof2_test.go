package journal
import ("testing";"time";"context";"path/filepath"; "flametree/persist/journal/pebble";"flametree/persist/vault")
func TestProfTwo(t *testing.T){
 var jj *pebble.Journal
 s:=system{"journal", func(dir string, writers int)(appender, func() error, error){
	j, err := pebble.Open(dir, pebble.Options{Vault: vault.New([32]byte{1})})
	jj=j
	return func(ctx context.Context, w int, n uint64) error {
		st,su:=session(w)
		_, err := j.Append(ctx, message(st,su, n))
		return err
	}, j.Close, err
 }}
 one,err:=measure(context.Background(), s, filepath.Join(t.TempDir(),"x"), 256, 6*time.Second)
 if err!=nil{t.Fatal(err)}
 t.Logf("%.0f/s cpu %v group %.1f", float64(one.events)/one.took.Seconds(), one.cpu/time.Duration(one.events), float64(one.events)/float64(jj.Groups()))
}
