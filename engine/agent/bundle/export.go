package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"filippo.io/age"

	"flametree/engine/agent"
	"flametree/engine/fault"
)

// Export seals an agent file and the parts it names under key. With
// RemoveSensitive the values of secret variables, and of those whose names say
// that they are secret, become agent.Masked. now is the time of the export.
func Export(key, file string, parts []Part, o Options, now time.Time) ([]byte, error) {
	spec, _, err := agent.Parse([]byte(file))
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	m := manifest{Format: format, Agent: spec.Name, Made: now.UTC().Truncate(time.Second), Removed: o.RemoveSensitive}
	if o.RemoveSensitive {
		if file, m.Masked, err = agent.Mask(file, true); err != nil {
			return nil, fmt.Errorf("export %q: %w", spec.Name, err)
		}
	}
	m.File = hash([]byte(file))
	packed, err := pack(m, file, parts, o)
	if err != nil {
		return nil, fmt.Errorf("export %q: %w", spec.Name, err)
	}
	sealed, err := seal(key, packed, o.WorkFactor)
	if err != nil {
		return nil, fmt.Errorf("export %q: %w", spec.Name, err)
	}
	return sealed, nil
}

func pack(m manifest, file string, parts []Part, o Options) ([]byte, error) {
	if len(parts) > MaxEntries-2 {
		return nil, fmt.Errorf("%d parts, %d are allowed: %w", len(parts), MaxEntries-2, fault.Exhausted)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	seen := map[string]bool{}
	for i, p := range parts {
		id := string(p.Kind) + "/" + p.Name
		switch {
		case p.Kind != Group && p.Kind != Document && p.Kind != Integration || p.Name == "" || seen[id]:
			return nil, fmt.Errorf("the %s %q is given twice or has no name: %w", p.Kind, p.Name, fault.Invalid)
		case len(p.Data) > MaxEntry:
			return nil, fmt.Errorf("the %s %q has more than %d MB: %w", p.Kind, p.Name, MaxEntry>>20, fault.Exhausted)
		}
		seen[id] = true
		e := entry{Kind: p.Kind, Name: p.Name, Path: place(i, p), Hash: p.Hash(), Force: o.force(p.Kind)}
		m.Contents = append(m.Contents, e)
		if err := write(z, e.Path, p.Data, m.Made); err != nil {
			return nil, err
		}
	}
	list, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w: %w", manifestName, err, fault.Bug)
	}
	if err := write(z, agentName, []byte(file), m.Made); err != nil {
		return nil, err
	}
	if err := write(z, manifestName, list, m.Made); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("close the ZIP: %w: %w", err, fault.Bug)
	}
	if out.Len() > MaxSealed-(1<<20) {
		return nil, fmt.Errorf("the bundle has %d MB, %d are allowed: leave large documents out: %w", out.Len()>>20, MaxSealed>>20-1, fault.Exhausted)
	}
	return out.Bytes(), nil
}

// place names a part's file in the ZIP: a number makes it unique, the rest is
// for people.
func place(i int, p Part) string {
	base := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, path.Base(p.Name))
	base = strings.TrimLeft(base, ".")
	return fmt.Sprintf("%ss/%03d-%s", p.Kind, i+1, base[max(0, len(base)-80):])
}

func write(z *zip.Writer, name string, data []byte, at time.Time) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w: %w", name, err, fault.Bug)
	}
	return nil
}

func seal(key string, data []byte, factor int) ([]byte, error) {
	if key = canonical(key); len(key) < MinKey {
		return nil, fmt.Errorf("a secret key has at least %d letters and figures: %w", MinKey, fault.Invalid)
	}
	if factor == 0 {
		factor = WorkFactor
	}
	if factor < 1 || factor > MaxWorkFactor {
		return nil, fmt.Errorf("the work factor is 1 to %d: %w", MaxWorkFactor, fault.Invalid)
	}
	to, err := age.NewScryptRecipient(key)
	if err != nil {
		return nil, fmt.Errorf("take the secret key: %w: %w", err, fault.Invalid)
	}
	to.SetWorkFactor(factor)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, fmt.Errorf("seal: %w: %w", err, fault.Bug)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("seal: %w: %w", err, fault.Bug)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w: %w", err, fault.Bug)
	}
	return out.Bytes(), nil
}
