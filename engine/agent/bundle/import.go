package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"filippo.io/age"

	"flametree/engine/agent"
	"flametree/engine/fault"
)

// Bundle is an exported agent, opened and checked: every part is whole, and
// the file is one that agent.Parse accepts.
type Bundle struct {
	Agent   string // its name
	Made    time.Time
	File    string
	Removed bool // sensitive data was left out
	Parts   []Part

	force map[int]bool // by place in Parts
}

// Open unseals a bundle. A wrong key is fault.Denied; bytes that are no
// bundle, damaged, or changed by somebody are fault.Invalid; too many of them
// fault.Exhausted. It takes at most MaxTotal bytes of memory besides what the
// key costs.
func Open(key string, sealed []byte) (*Bundle, error) {
	if len(sealed) > MaxSealed {
		return nil, fmt.Errorf("import: %d MB, %d are allowed: %w", len(sealed)>>20, MaxSealed>>20, fault.Exhausted)
	}
	packed, err := unseal(key, sealed)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	files, err := unpack(packed, limits{entry: MaxEntry, total: MaxTotal})
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	b, err := restore(files)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return b, nil
}

func unseal(key string, sealed []byte) ([]byte, error) {
	if !bytes.HasPrefix(sealed, []byte("age-encryption.org/")) {
		return nil, fmt.Errorf("this is no exported agent: %w", fault.Invalid)
	}
	if key = canonical(key); key == "" {
		return nil, fmt.Errorf("the secret key of the export is needed: %w", fault.Denied)
	}
	id, err := age.NewScryptIdentity(key)
	if err != nil {
		return nil, fmt.Errorf("take the secret key: %w: %w", err, fault.Invalid)
	}
	id.SetMaxWorkFactor(MaxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil { // age does not tell a wrong key from a damaged header
		return nil, fmt.Errorf("the secret key does not fit this file, or the file is damaged: %w", fault.Denied)
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxSealed+1))
	if err != nil {
		return nil, fmt.Errorf("the file is damaged or cut off: %w", fault.Invalid)
	}
	return out, nil
}

// limits are bytes, unpacked.
type limits struct{ entry, total int }

// unpack reads a ZIP into memory. What the ZIP itself says of sizes is not
// believed.
func unpack(packed []byte, l limits) (map[string][]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("there is no ZIP inside: %w", fault.Invalid)
	}
	if len(z.File) > MaxEntries {
		return nil, fmt.Errorf("%d files inside, %d are allowed: %w", len(z.File), MaxEntries, fault.Exhausted)
	}
	files := map[string][]byte{}
	total := 0
	for _, f := range z.File {
		if !local(f.Name) || !f.Mode().IsRegular() {
			return nil, fmt.Errorf("the name %.100q inside is not allowed: %w", f.Name, fault.Invalid)
		}
		if _, twice := files[f.Name]; twice {
			return nil, fmt.Errorf("%.100q is inside twice: %w", f.Name, fault.Invalid)
		}
		data, err := extract(f, min(l.entry, l.total-total))
		if err != nil {
			return nil, err
		}
		total += len(data)
		files[f.Name] = data
	}
	return files, nil
}

// local reports whether a name stays below the place it is unpacked to, on any
// system.
func local(name string) bool {
	return name != "" && name == path.Clean(name) && !strings.HasPrefix(name, "/") && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsAny(name, "\\:\x00")
}

func extract(f *zip.File, most int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("read %.100q: %w", f.Name, fault.Invalid)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("%.100q inside is damaged: %w", f.Name, fault.Invalid)
	}
	if len(data) > most {
		return nil, fmt.Errorf("%.100q inside grows beyond what is allowed, %d MB a file and %d MB in all: %w", f.Name, MaxEntry>>20, MaxTotal>>20, fault.Exhausted)
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("%.100q inside is damaged: %w", f.Name, fault.Invalid)
	}
	return data, nil
}

func restore(files map[string][]byte) (*Bundle, error) {
	var m manifest
	if err := json.Unmarshal(files[manifestName], &m); err != nil {
		return nil, fmt.Errorf("%s is missing or broken: %w", manifestName, fault.Invalid)
	}
	if m.Format != format {
		return nil, fmt.Errorf("the bundle has format %d, this version reads %d: %w", m.Format, format, fault.Invalid)
	}
	file, ok := files[agentName]
	if !ok || hash(file) != m.File {
		return nil, fmt.Errorf("%s is missing or changed: %w", agentName, fault.Invalid)
	}
	spec, _, err := agent.Parse(file)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Agent: spec.Name, Made: m.Made, File: string(file), Removed: m.Removed, force: map[int]bool{}}
	seen := map[string]bool{manifestName: true, agentName: true}
	names := map[string]bool{}
	for i, e := range m.Contents {
		data, ok := files[e.Path]
		known := e.Kind == Group || e.Kind == Document || e.Kind == Integration
		id := string(e.Kind) + "/" + e.Name
		if !ok || !known || e.Name == "" || seen[e.Path] || names[id] || hash(data) != e.Hash {
			return nil, fmt.Errorf("the %s %.100q is missing, changed or there twice: %w", e.Kind, e.Name, fault.Invalid)
		}
		seen[e.Path], names[id] = true, true
		b.Parts = append(b.Parts, Part{Kind: e.Kind, Name: e.Name, Data: data})
		b.force[i] = e.Force
	}
	if len(seen) != len(files) {
		return nil, fmt.Errorf("there are files inside that %s does not name: %w", manifestName, fault.Invalid)
	}
	return b, nil
}

// Action is what an import does with a part.
type Action string

// The actions.
const (
	Create    Action = "create"    // there is none of that name
	Same      Action = "same"      // there is, and it is equal
	Keep      Action = "keep"      // there is another one: it stays
	Overwrite Action = "overwrite" // there is another one: the export was made to replace it
)

// Step is one part of a plan.
type Step struct {
	Part   Part
	Action Action
}

// Plan is what importing a bundle changes.
type Plan struct {
	Agent   string
	File    string   // of the new agent, without an alias that is taken
	Steps   []Step   // in the order of the export
	Reenter []string // variables whose values were taken out; of tool groups GROUP/KEY
	Notes   []string // for people
}

// Have is what the installation has already.
type Have struct {
	Parts   map[Kind]map[string]string // kind → name → SHA-256 in hex
	Aliases []string                   // of all agents
}

// Plan compares the bundle with an installation. It changes neither. An alias
// that is taken is left out of the new agent, with a note.
func (b *Bundle) Plan(have Have) (Plan, error) {
	p := Plan{Agent: b.Agent, File: b.File}
	for i, part := range b.Parts {
		sum, exists := have.Parts[part.Kind][part.Name]
		s := Step{Part: part, Action: Create}
		switch {
		case !exists:
		case sum == part.Hash():
			s.Action = Same
		case b.force[i]:
			s.Action = Overwrite
		default:
			s.Action = Keep
			p.Notes = append(p.Notes, fmt.Sprintf("the %s %q exists already and is kept as it is", part.Kind, part.Name))
		}
		p.Steps = append(p.Steps, s)
	}
	var err error
	if p.File, p.Notes, err = freeAlias(p.File, have.Aliases, p.Notes); err != nil {
		return Plan{}, err
	}
	spec, _, err := agent.Parse([]byte(p.File))
	if err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	if p.Reenter = spec.Masked(); len(p.Reenter) > 0 {
		p.Notes = append(p.Notes, "enter the values again that were left out: "+strings.Join(p.Reenter, ", "))
	}
	return p, nil
}
