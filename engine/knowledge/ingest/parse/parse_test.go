package parse_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// fixture is a file of testdata under a name of the user's.
func fixture(t testing.TB, file, name string) parse.Input {
	t.Helper()
	path := filepath.Join("testdata", file)
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	return parse.Input{At: f, Size: info.Size(), Path: path, Name: name, Dir: t.TempDir()}
}

func bytesOf(b []byte, name string) parse.Input {
	return parse.Input{At: bytes.NewReader(b), Size: int64(len(b)), Name: name}
}

func read(ctx context.Context, in parse.Input) (parse.Document, error) {
	doc := parse.Document{Source: in.Name}
	err := parse.Read(ctx, in, parse.Collect(&doc))
	return doc, err
}

// whole is all that a document says, in one text.
func whole(d parse.Document) string {
	var b strings.Builder
	for _, s := range d.Sections {
		b.WriteString(s.Heading + "\n" + s.Text + "\n")
	}
	return b.String()
}

func section(d parse.Document, heading string) parse.Section {
	for _, s := range d.Sections {
		if s.Heading == heading {
			return s
		}
	}
	return parse.Section{}
}

func TestOneTextByManyWriters(t *testing.T) {
	for _, file := range []string{"tariffs.md", "pandoc.docx", "libreoffice.docx", "pandoc.html", "libreoffice.pdf", "chromium.pdf", "owner.pdf"} {
		t.Run(file, func(t *testing.T) {
			doc, err := read(t.Context(), fixture(t, file, file))
			require.NoError(t, err)
			text := whole(doc)
			for _, want := range []string{
				"A debit card costs 12 euros a year. It arrives within five working days after the account is opened.",
				"A lost card is blocked by calling +49 30 5550 1234.",
				"Withdrawals outside the euro area cost 1.5 percent, at least 2 euros.",
				"9 euros", "Is there a fee for closing it?", "No, closing is free.",
			} {
				require.Contains(t, strings.Join(strings.Fields(text), " "), want)
			}
			if !strings.HasSuffix(file, ".pdf") {
				require.Contains(t, section(doc, "Abroad").Text, "1.5 percent", "headings make sections")
				require.Contains(t, section(doc, "Transfers").Text, "Urgent transfer | 9 euros | one hour", "a row of a table stays together")
				require.Contains(t, section(doc, "Cards").Text, "- A second card costs 6 euros.", "a list stays a list")
			} else {
				require.Equal(t, 1, doc.Sections[0].Page)
			}
		})
	}
}

func TestTitles(t *testing.T) {
	for _, file := range []string{"tariffs.md", "pandoc.docx", "pandoc.html"} {
		doc, err := read(t.Context(), fixture(t, file, file))
		require.NoError(t, err)
		require.Equal(t, "Tariffs of the North Bank", doc.Title, file)
	}
}

func TestTablesSayTheirColumns(t *testing.T) {
	for file, want := range map[string]string{
		"libreoffice.xlsx": "Артикул: A-2\nНазвание: Кружка \"Север\", синяя\nЦена: 350",
		"cp1251.csv":       "Артикул: A-2\nНазвание: Кружка \"Север\", синяя\nЦена: 350\nДата: 2026-03-15",
		"utf16.csv":        "Артикул: A-2\nНазвание: Кружка \"Север\", синяя\nЦена: 350\nДата: 2026-03-15",
		"prices.csv":       "Артикул: A-2\nНазвание: Кружка \"Север\", синяя\nЦена: 350\nДата: 2026-03-15",
	} {
		t.Run(file, func(t *testing.T) {
			doc, err := read(t.Context(), fixture(t, file, file))
			require.NoError(t, err)
			require.Contains(t, whole(doc), want)
			var rows [][]string
			require.NoError(t, parse.Rows(t.Context(), fixture(t, file, file), func(c []string) error {
				rows = append(rows, append([]string(nil), c...))
				return nil
			}))
			require.Len(t, rows, 5)
			require.Equal(t, []string{"A-3", "Плед шерстяной"}, rows[3][:2])
		})
	}
}

func TestTextInManyWritings(t *testing.T) {
	const german, russian = "Größe und Maß: für alle Käufer günstig.", "Доставка по городу бесплатная. Срок — три дня."
	encode := func(e interface{ Bytes([]byte) ([]byte, error) }, s string) []byte {
		b, err := e.Bytes([]byte(s))
		require.NoError(t, err)
		return b
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"utf-8":                    {[]byte(russian), russian},
		"utf-8 with a mark":        {[]byte("\xef\xbb\xbf" + russian), russian},
		"cp1251":                   {encode(charmap.Windows1251.NewEncoder(), russian), russian},
		"koi8-r":                   {encode(charmap.KOI8R.NewEncoder(), strings.ReplaceAll(russian, "—", "-")), strings.ReplaceAll(russian, "—", "-")},
		"cp1252":                   {encode(charmap.Windows1252.NewEncoder(), german), german},
		"utf-16le with a mark":     {encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(), russian), russian},
		"utf-16be with a mark":     {encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder(), russian), russian},
		"utf-16le without a mark":  {encode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder(), german), german},
		"utf-16be without a mark":  {encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder(), german), german},
		"utf-8 cut inside a rune":  {[]byte(russian + "д")[:len(russian)+1], russian},
		"a line without any break": {[]byte(strings.Repeat("word ", 30_000)), strings.TrimSpace(strings.Repeat("word ", 100))},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := read(t.Context(), bytesOf(c.bytes, "a.txt"))
			require.NoError(t, err)
			require.Contains(t, whole(doc), c.want)
		})
	}
}

func TestContentDecidesAndTheNameIsWarnedOf(t *testing.T) {
	doc, err := read(t.Context(), fixture(t, "pandoc.docx", "tariffs.pdf"))
	require.NoError(t, err)
	require.Contains(t, whole(doc), "12 euros")
	require.Equal(t, []string{"the name ends in .pdf, but this is docx; it was read as what it is"}, doc.Warnings)
	for _, c := range []struct {
		text, name string
		want       parse.Kind
	}{
		{"a;b\n1;2\n3;4\n", "unnamed", parse.CSV},
		{"one, two, three.\nFour, five.\n\nSix.\n", "", parse.Text},
		{"# Head\n\ntext\n", "", parse.Markdown},
		{"# Head\n\ntext\n", "notes.txt", parse.Text},
		{"<!-- c -->\n<!DOCTYPE html><p>x", "a.txt", parse.HTML},
		{"\ufeff<html><p>x", "a.md", parse.HTML},
	} {
		k, err := parse.Sniff(bytesOf([]byte(c.text), c.name))
		require.NoError(t, err)
		require.Equal(t, c.want, k, "%q", c.text)
	}
}

// zipped makes an archive of parts.
func zipped(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

const wordHead = `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`

// body is a DOCX with this for its text.
func body(t testing.TB, xml string) []byte {
	return zipped(t, map[string]string{"word/document.xml": xml})
}

func locked(t *testing.T) []byte {
	f := excelize.NewFile()
	var b bytes.Buffer
	require.NoError(t, f.SetCellStr("Sheet1", "A1", "x"))
	_, err := f.WriteTo(&b, excelize.Options{Password: "secret"})
	require.NoError(t, err)
	return b.Bytes()
}

func TestBadFilesSayWhatToDo(t *testing.T) {
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		return b
	}
	docx := file("pandoc.docx")
	deep := wordHead + strings.Repeat("<w:p>", 400) + strings.Repeat("</w:p>", 400) + "</w:body></w:document>"
	laughs := `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>` + wordHead + "<w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>"
	huge := wordHead + "<w:p><w:r><w:t>" + strings.Repeat("0", 64<<20) + "</w:t></w:r></w:p></w:body></w:document>"
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"nothing":                     {nil, "the file is empty"},
		"only spaces":                 {[]byte("  \n\t "), "the file is empty"},
		"a zip bomb":                  {body(t, huge), "unpacks to far more than a document holds"},
		"an XML bomb":                 {body(t, laughs), "declares a document type"},
		"deep nesting":                {body(t, deep), "nests deeper than 256 elements"},
		"a workbook with a password":  {locked(t), "protected by a password: save it without one"},
		"an old Word file":            {file("old.doc"), "save it as .docx"},
		"an OpenDocument file":        {file("libreoffice.odt"), "OpenDocument"},
		"a picture":                   {append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), make([]byte, 200)...), "looks like image/png: give a pdf, docx"},
		"a plain archive":             {zipped(t, map[string]string{"a.txt": "x"}), "unpack it and upload the files"},
		"RTF":                         {[]byte(`{\rtf1 x}`), "RTF"},
		"a document cut off":          {docx[:len(docx)/2], "damaged or cut off"},
		"a document with torn XML":    {body(t, wordHead+"<w:p><w:r><w:t>x"), "damaged in line 1, column"},
		"a workbook that is no XML":   {zipped(t, map[string]string{"xl/workbook.xml": "no", "[Content_Types].xml": "no"}), "damaged"},
		"an open quote over 1 MB":     {[]byte("a,b\n1,\"" + strings.Repeat("x,\n", 600_000)), "line 2: a quotation mark is opened"},
		"a tag over 4 MB":             {[]byte("<html><p " + strings.Repeat("x", 5<<20) + ">"), "this is no page for people"},
		"a table of too many columns": {[]byte(strings.Repeat("a,", 10_000) + "\n" + strings.Repeat("b,", 10_000)), "columns"},
	} {
		t.Run(name, func(t *testing.T) {
			name := "upload"
			if strings.Contains(c.want, "quotation") || strings.Contains(c.want, "columns") {
				name += ".csv"
			}
			_, err := read(t.Context(), bytesOf(c.bytes, name))
			require.ErrorContains(t, err, c.want)
			require.ErrorIs(t, err, fault.Invalid)
			require.Less(t, len(err.Error()), 400)
		})
	}
}

func TestBadPDFs(t *testing.T) {
	_, err := read(t.Context(), fixture(t, "password.pdf", "p.pdf"))
	require.ErrorContains(t, err, "the PDF is protected by a password: save it without one")
	require.ErrorIs(t, err, fault.Invalid)

	doc, err := read(t.Context(), fixture(t, "scan.pdf", "scan.pdf"))
	require.NoError(t, err)
	require.Empty(t, doc.Sections)
	require.Len(t, doc.Warnings, 1)
	require.Contains(t, doc.Warnings[0], "a scan")
	require.Contains(t, doc.Warnings[0], "OCR")

	doc, err = read(t.Context(), fixture(t, "owner.pdf", "owner.pdf"))
	require.NoError(t, err)
	require.Contains(t, doc.Warnings[0], "opens without a password")

	half, err := os.ReadFile("testdata/libreoffice.pdf")
	require.NoError(t, err)
	for name, b := range map[string][]byte{"cut.pdf": half[:len(half)*9/10], "head.pdf": half[:200], "noise.pdf": []byte("%PDF-1.7\n" + strings.Repeat("rubbish ", 100))} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		in := bytesOf(b, name)
		in.Path = path
		doc, err := read(t.Context(), in)
		if err != nil {
			require.ErrorContains(t, err, "damaged or cut off")
			require.ErrorIs(t, err, fault.Invalid)
			continue
		}
		require.Contains(t, strings.Join(doc.Warnings, "\n"), "cut off")
	}
}

func TestAnArchiveThatLiesAboutItsSizes(t *testing.T) {
	b := body(t, wordHead+"<w:p><w:r><w:t>"+strings.Repeat("0", 64<<20)+"</w:t></w:r></w:p></w:body></w:document>")
	// In the central directory the size stands at 24; it claims to be small.
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	copy(b[at+24:], []byte{0, 4, 0, 0})
	_, err := read(t.Context(), bytesOf(b, "a.docx"))
	require.ErrorIs(t, err, fault.Invalid)
}

func TestADamagedRowWarns(t *testing.T) {
	doc, err := read(t.Context(), bytesOf([]byte("name,price\ncup,\"5\nplate,6\n"), "a.csv"))
	require.NoError(t, err)
	require.Len(t, doc.Warnings, 1)
	require.Contains(t, doc.Warnings[0], "opened in line 2 is never closed")
	require.Contains(t, whole(doc), "plate", "nothing is lost")
}

func TestPagesWithoutAnArticleAreTakenWhole(t *testing.T) {
	const page = `<html><head><title>Contacts</title><style>p{}</style></head><body><nav><a href=/>Home</a></nav>
<details><summary>Where are you?</summary><p>Elm street 4.</p></details>
<dl><dt>When do you open?</dt><dd>At nine.</dd></dl>
<table><tr><th>Day</th><th>Hours</th></tr><tr><td>Mon</td><td>9-18</td></tr></table><script>var x = "hidden"</script></body></html>`
	doc, err := read(t.Context(), bytesOf([]byte(page), "c.html"))
	require.NoError(t, err)
	require.Equal(t, "Contacts", doc.Title)
	require.Equal(t, "Elm street 4.", section(doc, "Where are you?").Text)
	require.Contains(t, section(doc, "When do you open?").Text, "At nine.\n\nDay | Hours\nMon | 9-18")
	require.NotContains(t, whole(doc), "hidden")
	require.NotContains(t, whole(doc), "Home")
}

func TestTheArticleIsFoundAmongMenus(t *testing.T) {
	story := strings.Repeat("<p>The river rose in the night, and the old mill stood in water to its knees; nobody slept, and everyone carried what could be carried.</p>\n", 12)
	page := "<html><head><title>Flood</title></head><body><div class=menu>" + strings.Repeat("<a href=/x>Buy now</a> ", 20) +
		"</div><article><h1>Flood</h1>" + story + "</article><div class=sidebar>Adverts for boots</div></body></html>"
	doc, err := read(t.Context(), bytesOf([]byte(page), "c.html"))
	require.NoError(t, err)
	require.Contains(t, whole(doc), "The river rose")
	require.NotContains(t, whole(doc), "Buy now")
}

func TestNoSectionIsLongerThanItMayBeAndNoWordIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zа-я]{1,12}`), 1, 60).Draw(t, "words")
		times := rapid.IntRange(1, 300).Draw(t, "times")
		sep := rapid.SampledFrom([]string{" ", "\n", "\n\n", ". "}).Draw(t, "sep")
		text := strings.Repeat(strings.Join(words, sep)+sep, times)
		doc, err := read(context.Background(), bytesOf([]byte(text), "a.txt"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, s := range doc.Sections {
			if len(s.Text) > parse.MaxSection {
				t.Fatalf("a section of %d bytes", len(s.Text))
			}
		}
		if got, want := strings.Join(strings.Fields(whole(doc)), " "), strings.Join(strings.Fields(text), " "); got != want {
			t.Fatalf("got %d bytes, want %d", len(got), len(want))
		}
	})
}

func TestAnEndedContextEndsTheReading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, file := range []string{"pandoc.docx", "libreoffice.pdf", "libreoffice.xlsx", "tariffs.md"} {
		_, err := read(ctx, fixture(t, file, file))
		if file == "tariffs.md" && err == nil {
			continue // short enough to be read at once
		}
		require.ErrorIs(t, err, context.Canceled, file)
	}
}

func FuzzDOCX(f *testing.F) {
	f.Add([]byte(wordHead + "<w:p><w:pPr><w:pStyle w:val=\"H\"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>y</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"))
	f.Add([]byte("<a></tbl></tbl></Fallback><p><t>x</p>"))
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, body(t, string(b)), "a.docx") })
}

func FuzzXLSX(f *testing.F) {
	seed, err := os.ReadFile("testdata/libreoffice.xlsx")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, b, "a.xlsx") })
}

func TestASmallWorkbookIsRead(t *testing.T) {
	doc, err := read(t.Context(), bytesOf(sheet(t, `<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c><c r="B1" t="inlineStr"><is><t>Price</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>Cup</t></is></c><c r="B2"><v>5</v></c></row>`), "a.xlsx"))
	require.NoError(t, err)
	require.Equal(t, []parse.Section{{Heading: "S", Text: "Name: Cup\nPrice: 5"}}, doc.Sections)
}

func FuzzSheet(f *testing.F) {
	f.Add([]byte(`<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c><c r="ZZZZ9"><v>1</v></c></row>`))
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, sheet(t, string(b)), "a.xlsx") })
}

// sheet is a workbook of one sheet with these rows.
func sheet(t testing.TB, rows string) []byte {
	return zipped(t, map[string]string{
		"[Content_Types].xml":        `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`,
		"_rels/.rels":                `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + rows + `</sheetData></worksheet>`,
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a;b\n\"x\"\"y\";2\r\n"))
	f.Add([]byte("\xff\xfea\x00,\x00b\x00\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, b, "a.csv") })
}

func FuzzHTML(f *testing.F) {
	f.Add([]byte("<html><title>x</title><h1>a<p>b<table><tr><td>c<li>d</h1></table><script><p>"))
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, append([]byte("<html>"), b...), "a.html") })
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("---\ntitle: x\n---\n# a\n```\ncode\n```\nb\n---\n| c | d |\n|---|---|\n"))
	f.Fuzz(func(t *testing.T, b []byte) { sound(t, b, "a.md") })
}

func FuzzText(f *testing.F) {
	f.Add([]byte("\xef\xf0\xe8\xe2\xe5\xf2"), "a.txt")
	f.Add([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "a.xls")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		if !bytes.Contains(b[:min(len(b), 1024)], []byte("%PDF-")) {
			sound(t, b, name)
		}
	})
}

// sound reads anything: there is no panic, an error says whose fault it is, and
// what is read is text of a limited length.
func sound(t *testing.T, b []byte, name string) {
	doc, err := read(t.Context(), bytesOf(b, name))
	if err != nil {
		require.ErrorIs(t, err, fault.Invalid, fmt.Sprintf("%T", err))
	}
	for _, s := range doc.Sections {
		require.LessOrEqual(t, len(s.Text), parse.MaxSection)
		require.Equal(t, strings.ToValidUTF8(s.Text, "?"), s.Text)
		require.NotContains(t, s.Text, "\x00")
	}
}
