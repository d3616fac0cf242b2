package catalog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

const wares = `sku,title,description,category,price,availability,product_url
L-1,Blue life jacket,A life jacket of 150 newtons.,Safety,89.50,in_stock,https://shop.example/l-1
L-2,Red life jacket,A life jacket for children.,Safety,59,in_stock,https://shop.example/l-2
A-1,Anchor,An anchor of galvanised steel.,Deck,120,in_stock,https://shop.example/a-1
`

func TestACatalogueIsMadeFilledAndSoldWithoutARestart(t *testing.T) {
	t.Parallel()
	p := open(t, "shop.yaml", "plain.yaml")
	ask := p.asks("Harbour shop")
	require.Contains(t, ask("life jacket"), "No product fits", "the file names a catalogue that is not there yet")
	require.Contains(t, p.must("list"), "there is none yet: flametree catalog create NAME")

	out := p.must("create", "Chandlery", "--currency", "EUR", "--description", "What sailors need")
	require.Contains(t, out, `is sold by Harbour shop`, "an agent whose file names it sells it at once")
	require.Contains(t, out, "flametree catalog import")
	out = p.must("import", "Chandlery", p.write("wares.csv", wares), "--dry-run")
	require.Contains(t, out, "dry run, nothing is changed: 3 new")
	require.Contains(t, p.must("show", "Chandlery"), "0 of 0 products")
	out = p.must("import", "Chandlery", p.write("wares.csv", wares))
	require.Contains(t, out, "imported: 3 new, 0 changed")

	said := ask("life jacket")
	require.Contains(t, said, "https://shop.example/l-1", "in a conversation that began before")
	require.Contains(t, said, "89.50 EUR", "the catalogue's currency, where a product names none")
	require.NotContains(t, said, "Anchor")

	p.must("product", "set", "Chandlery", "L-1", "--price", "75", "--availability", "preorder")
	require.Contains(t, ask("sku L-1"), `"price":75`)
	p.must("product", "add", "Chandlery", "F-1", "--title", "Fender", "--url", "https://shop.example/f-1", "--price", "12,50", "--tag", "soft", "--attr", "colour=white")
	require.Contains(t, ask("fender"), "https://shop.example/f-1")
	p.must("product", "set", "Chandlery", "F-1", "--no-active")
	require.Contains(t, ask("fender"), "No product fits", "a product that is not active is not sold")
	p.must("product", "remove", "Chandlery", "L-2", "A-1")
	require.NotContains(t, ask("life jacket"), "l-2")
	require.Contains(t, p.must("show", "Chandlery"), "2 of 2 products")
}

func TestACatalogueIsConnectedFromEitherSide(t *testing.T) {
	t.Parallel()
	p := open(t, "shop.yaml", "plain.yaml")
	p.must("create", "Chandlery")
	p.must("create", "Library", "--currency", "EUR")
	p.must("import", "Library", p.write("wares.csv", wares))
	require.NotContains(t, p.asks("Front desk")("tools"), "SearchProducts")

	// From the catalogue's side: the next conversation has the tools.
	out := p.must("connect", "library", "Front desk")
	require.Contains(t, out, `"Library" is sold by Front desk`)
	ask := p.asks("Front desk")
	require.Contains(t, ask("tools"), "SearchProducts")
	require.Contains(t, ask("anchor"), "https://shop.example/a-1")
	p.must("disconnect", "Library", "Front desk")
	require.Contains(t, ask("anchor"), "No product fits", "taken away in the middle of a conversation")
	require.NotContains(t, p.asks("Front desk")("tools"), "SearchProducts")

	// From the agent's side: its file names another catalogue now.
	text, err := os.ReadFile(p.agent("shop.yaml"))
	require.NoError(t, err)
	renamed := strings.Replace(string(text), "catalogs: [Chandlery]", "catalogs: [Library]", 1)
	out = house.Must(t, "--data", p.Data, "agent", "save", p.write("other.yaml", renamed))
	require.Contains(t, out, "revision 2, live")
	require.Contains(t, p.asks("Harbour shop")("anchor"), "https://shop.example/a-1")
	require.Contains(t, p.must("list"), "(unused)", "the one that only the revision before named")

	// A name that nothing has is told and stops nobody.
	renamed = strings.Replace(string(text), "catalogs: [Chandlery]", "catalogs: [Library, Attic]", 1)
	out = house.Must(t, "--data", p.Data, "agent", "save", p.write("other.yaml", renamed))
	require.Contains(t, out, `note: there is no catalogue "Attic"`)
	require.Contains(t, p.asks("Harbour shop")("anchor"), "https://shop.example/a-1")

	p.must("remove", "Library")
	require.Contains(t, p.asks("Harbour shop")("anchor"), "No product fits")
}

func TestFilesOfEachKindAreImportedAndAnExportIsImportedAgain(t *testing.T) {
	t.Parallel()
	p := open(t)
	p.must("create", "Chandlery", "--currency", "EUR")
	xlsx, err := filepath.Abs(filepath.Join("testdata", "wares.xlsx"))
	require.NoError(t, err)
	out := p.must("import", "Chandlery", xlsx)
	require.Contains(t, out, "imported: 3 new")
	out = p.must("import", "Chandlery", p.write("wares.csv", wares))
	require.Contains(t, out, "0 new, 0 changed, 3 as they are", "the same in another form")
	out = p.must("import", "Chandlery", p.write("more.json", `{"products":[{"sku":"=R","title":"@Rope; \"soft\"","product_url":"https://shop.example/r","price":3.5,"tags":["a;b","c"],"attributes":{"metres":10}},
		{"sku":"L-1","title":"Blue life jacket","description":"","product_url":"https://shop.example/l-1"}]}`))
	require.Contains(t, out, "1 new, 1 changed")

	csv, object := filepath.Join(p.dir, "out.csv"), filepath.Join(p.dir, "out.json")
	p.must("export", "Chandlery", "--out", csv)
	p.must("export", "Chandlery", "--format", "json", "--out", object)
	require.Contains(t, p.fails("export", "Chandlery", "--out", csv), "file exists", "nothing is overwritten")
	p.must("create", "Copy")
	require.Contains(t, p.must("import", "Copy", csv), "4 new")
	require.Contains(t, p.must("import", "Copy", object), "0 new, 0 changed, 4 as they are")
	require.Contains(t, p.must("import", "Chandlery", csv), "0 new, 0 changed, 4 as they are")
}

func TestWhatIsWrongIsToldWithItsPlaceAndWhatToDo(t *testing.T) {
	t.Parallel()
	p := open(t)
	p.must("create", "Chandlery")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"a name twice":        {[]string{"create", "CHANDLERY"}, []string{"already", "give another one"}},
		"a currency in words": {[]string{"create", "X", "--currency", "euro"}, []string{"currency", "three capital letters"}},
		"no such catalogue":   {[]string{"show", "Attic"}, []string{`no catalogue "Attic"`, "flametree catalog list"}},
		"no such agent":       {[]string{"connect", "Chandlery", "Nobody"}, []string{"Nobody"}},
		"nothing to change":   {[]string{"set", "Chandlery"}, []string{"--currency"}},
		"no such product":     {[]string{"product", "set", "Chandlery", "Z", "--price", "1"}, []string{`no product "Z"`}},
		"a bad product": {
			[]string{"product", "add", "Chandlery", "Z", "--title", "Z", "--url", "shop.example", "--price", "dear"},
			[]string{`product_url "shop.example" is no address that begins with https://`, `price "dear" is no amount`},
		},
		"a bad row":        {[]string{"import", "Chandlery", p.write("bad.csv", wares+"B-1,,,,much,,\n")}, []string{"row 5: price", "imported: 3 new", "1 with faults", "import the file again"}},
		"a strange table":  {[]string{"import", "Chandlery", p.write("strange.csv", "a,b\n1,2\n")}, []string{"no column is named sku"}},
		"a broken file":    {[]string{"import", "Chandlery", p.write("broken.xlsx", "PK\x03\x04 nothing")}, []string{"broken.xlsx"}},
		"damaged JSON":     {[]string{"import", "Chandlery", p.write("cut.json", `[{"sku":"A"},`)}, []string{"cut off"}},
		"no product named": {[]string{"product", "remove", "Chandlery", "none"}, []string{"nothing was removed"}},
	} {
		said := p.fails(c.args...)
		for _, want := range c.says {
			require.Contains(t, said, want, "%s", name)
		}
		require.NotContains(t, said, "panic", name)
	}
	r := house.Command(t, "--data", t.TempDir(), "catalog", "list")
	require.Contains(t, r.Err, "start one with flametree serve")
	require.Contains(t, house.Must(t, "catalog", "--help"), "invite")
}

func TestAnOutsideEditorEditsByALinkUntilItIsReset(t *testing.T) {
	t.Parallel()
	p := open(t, "shop.yaml")
	p.must("create", "Chandlery", "--currency", "EUR")
	p.must("create", "Secret plans")
	p.must("product", "add", "Secret plans", "S-1", "--title", "Plan", "--url", "https://shop.example/s-1")
	ask := p.asks("Harbour shop")
	ann, bob := p.invite("Chandlery"), p.invite("Chandlery")
	require.NotEqual(t, ann.token, bob.token)

	ann.must("POST", "/products", `{"sku":"L-1","title":"Life jacket","product_url":"https://shop.example/l-1","price":"89,50"}`)
	require.Contains(t, ask("life jacket"), "https://shop.example/l-1", "agents sell it at once")
	bob.must("PUT", "/products", `{"sku":"L-1","price":75}`)
	require.Contains(t, ask("sku L-1"), `"price":75`)
	require.Contains(t, bob.must("POST", "/import?name=wares.csv&dry=1", wares), `"new":2,"changed":1`)
	bob.must("POST", "/import?name=wares.csv", wares)
	require.Contains(t, ask("anchor"), "https://shop.example/a-1")
	bob.must("DELETE", sku("A-1"), "")
	require.Contains(t, ask("anchor"), "No product fits")
	require.NotContains(t, ann.must("GET", "/products", ""), "Plan", "nothing of other catalogues")
	require.NotContains(t, ann.must("GET", "/products?text=S-1", ""), "S-1")

	shown := p.must("show", "Chandlery")
	require.Equal(t, 2, strings.Count(shown, "open until"))
	require.Contains(t, shown, "by invitation")
	require.NotContains(t, shown, ann.token)
	everything := house.Must(t, "--data", p.Data, "journal", "tail", "--json") + p.Log() + p.Said()
	for _, e := range []*editor{ann, bob} {
		require.NotContains(t, everything, e.token, "the token is kept nowhere")
	}

	out := p.must("reset", "Chandlery")
	require.Contains(t, out, "no link opens")
	for _, e := range []*editor{ann, bob} {
		code, text := e.send("GET", "", "")
		require.Equal(t, 401, code, text)
		require.Contains(t, text, "ask whoever sent it for a new link")
		code, _ = e.send("POST", "/products", `{"sku":"X","title":"X","product_url":"https://shop.example/x"}`)
		require.Equal(t, 401, code)
	}
	require.Contains(t, p.must("show", "Chandlery"), "2 of 2 products")
	p.invite("Chandlery").must("GET", "", "")
}

func TestALinkLeadsToThePublicAddress(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Silent: true, Args: []string{"--public-url", "https://agents.example/"}})
	house.Must(t, "--data", s.Data, "catalog", "create", "Chandlery")
	out := house.Must(t, "--data", s.Data, "catalog", "invite", "Chandlery")
	require.Regexp(t, `(?m)^https://agents\.example/invite/catalog#[\w-]{43}$`, out)
	require.NotContains(t, out, "public_url")
}

// TestKilledBetweenChanges ends the process without warning while an editor
// writes: what was answered is there again, in order, and so is the invitation.
func TestKilledBetweenChanges(t *testing.T) {
	t.Parallel()
	p := open(t, "shop.yaml")
	p.must("create", "Chandlery", "--currency", "EUR")
	e := p.invite("Chandlery")
	done := 0 // products that were answered for
	for round := range 3 {
		var wg sync.WaitGroup
		answered := make(chan struct{}, 1000)
		wg.Go(func() {
			for i := done; i < done+500; i++ {
				req := fmt.Sprintf(`{"sku":"K-%04d","title":"Knot %d","product_url":"https://shop.example/k"}`, i, round)
				if code, err := e.quietly("POST", "/products", req); err != nil || code != 200 {
					return
				}
				answered <- struct{}{}
			}
		})
		for range 20 {
			<-answered
		}
		p.Kill()
		wg.Wait()
		done += 20 + len(answered)
		p.start(p.Data)
		e.base = "http://" + p.HTTP
		var page struct{ All int }
		require.NoError(t, json.Unmarshal([]byte(e.must("GET", "/products?limit=1", "")), &page))
		require.GreaterOrEqual(t, page.All, done, "what was answered is kept")
		require.LessOrEqual(t, page.All, done+1, "and nothing that was not asked for")
		done = page.All
	}
	p.must("reset", "Chandlery")
	p.Kill()
	p.start(p.Data)
	e.base = "http://" + p.HTTP
	code, _ := e.send("GET", "", "")
	require.Equal(t, 401, code, "a reset outlives the process")
	require.Contains(t, p.must("list"), "Harbour shop", "and so does who sells it")
}
