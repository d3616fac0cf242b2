// Package bundle takes an agent out of one installation and into another: the
// agent file, the tool groups, documents and connectors it names, in a ZIP
// that is sealed with age under a secret key shown once (spec 2, Export, Import
// and Copy). It reads no file and stores nothing: what an import would change
// it only says, in a Plan. The key comes from outside; what age itself needs
// of chance for nonces it draws by itself.
package bundle

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"
)

// The limits of a bundle.
const (
	MaxSealed  = 52 << 20  // bytes of a sealed bundle
	MaxEntry   = 50 << 20  // bytes of any one file in it
	MaxTotal   = 200 << 20 // bytes of all of them, unpacked
	MaxEntries = 1000
	// MinKey is the shortest secret key, in characters.
	MinKey = 20
	// WorkFactor is the binary logarithm of scrypt's N, for keys made by Key: they
	// cannot be guessed, so that 32 MB of memory for a moment are enough. An
	// import takes up to MaxWorkFactor: 64 MB.
	WorkFactor    = 15
	MaxWorkFactor = 16
)

// Kind says what a Part is.
type Kind string

// The kinds of parts, each with the option that makes an import overwrite it.
const (
	Group       Kind = "group"       // a tool group, packed: Options.ForceSkills
	Document    Kind = "document"    // a source of knowledge: Options.ForceKnowledge
	Integration Kind = "integration" // a connector or OpenAPI document: Options.ForceIntegrations
)

// Part is something that the agent file names. Data is whatever its owner
// stores; nobody looks inside, so it holds no secrets if it shall not carry any.
type Part struct {
	Kind Kind
	Name string // as the agent file names it: a name or path
	Data []byte
}

// Hash is the SHA-256 of a part's data, in hex.
func (p Part) Hash() string { return hash(p.Data) }

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Options are the four of the export dialog.
type Options struct {
	RemoveSensitive   bool // keys and passwords are left out
	ForceSkills       bool // the import overwrites tool groups that exist
	ForceKnowledge    bool // … sources of knowledge
	ForceIntegrations bool // … connectors
	WorkFactor        int  // of scrypt, 0 = WorkFactor
}

func (o Options) force(k Kind) bool {
	switch k {
	case Group:
		return o.ForceSkills
	case Document:
		return o.ForceKnowledge
	case Integration:
		return o.ForceIntegrations
	}
	return false
}

// Key writes 20 bytes of chance as a secret key: eight groups of four letters
// and figures. Open accepts it in any case and with any blanks.
func Key(chance [20]byte) string {
	text := base32.StdEncoding.EncodeToString(chance[:])
	var groups []string
	for len(text) > 0 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(groups, "-")
}

// canonical undoes what happens to a key on its way by hand.
func canonical(key string) string {
	return strings.ToUpper(strings.Join(strings.FieldsFunc(key, func(r rune) bool {
		return r == '-' || r == ' ' || r == '\t' || r == '\r' || r == '\n'
	}), ""))
}

// manifest is restore.json.
type manifest struct {
	Format   int       `json:"format"` // 1
	Agent    string    `json:"agent"`
	Made     time.Time `json:"made"`
	File     string    `json:"file_sha256"`
	Removed  bool      `json:"sensitive_data_removed"`
	Masked   []string  `json:"masked,omitempty"`
	Contents []entry   `json:"contents"`
}

type entry struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name"`
	Path  string `json:"path"` // in the ZIP
	Hash  string `json:"sha256"`
	Force bool   `json:"force"`
}

const (
	format       = 1
	manifestName = "restore.json"
	agentName    = "agent.yaml"
)
