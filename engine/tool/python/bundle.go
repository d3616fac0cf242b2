package python

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/workflow/located"
)

// The limits of a bundle, over all its files. The sandbox holds them in memory.
const (
	MaxPlugin = 256 << 10
	MaxFile   = 4 << 20
	MaxTotal  = 8 << 20
	MaxFiles  = 200
)

const (
	pluginEntry = "plugin.yaml"
	filesEntry  = "files/"
	submodules  = "submodules"
)

// Bundle is a group of tools as its author wrote it: the plugin's YAML and the
// files that it depends on, by their slash-separated paths beside it.
type Bundle struct {
	Plugin []byte
	Files  map[string][]byte

	// Elsewhere are dependencies that are somewhere else, and not here to be
	// looked at: Parse believes what they are said to hold. They are no part of
	// Hash and Pack.
	Elsewhere []string
}

// Hash names the content: equal bundles have equal hashes, in every version of
// this program.
func (b Bundle) Hash() string {
	h := sha256.New()
	write := func(name string, data []byte) {
		_, _ = fmt.Fprintf(h, "%d %d %s\n", len(name), len(data), name)
		_, _ = h.Write(data)
	}
	write("", b.Plugin)
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		write(name, b.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check tells everything that keeps b from being used, fault.Invalid.
func (b Bundle) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(b.Plugin) > MaxPlugin {
		wrong("the plugin has %d KB; %d are allowed", len(b.Plugin)>>10, MaxPlugin>>10)
	}
	if len(b.Files) > MaxFiles {
		wrong("%d files; %d are allowed", len(b.Files), MaxFiles)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		total += len(b.Files[name])
		if !proper(name) {
			wrong("file %q: the path must lead downwards from the plugin, in plain letters", shorten(name))
		}
		if n := len(b.Files[name]); n > MaxFile {
			wrong("file %q has %d KB; %d are allowed", shorten(name), n>>10, MaxFile>>10)
		}
	}
	if total > MaxTotal {
		wrong("the files have %d KB together; %d are allowed", total>>10, MaxTotal>>10)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("tool group: %w: %w", fault.Invalid, err)
	}
	return nil
}

// Proper reports whether a file may be called so: Bundle.Files has such names.
func Proper(name string) bool { return proper(name) }

// Missing are the files and folders that the plugin names as dependencies and
// that are not among Files, in the plugin's order.
func (b Bundle) Missing() []string {
	var out []string
	for _, name := range dependencies(b.Plugin) {
		name = path.Clean(name)
		if proper(name) && !b.has(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// has reports whether a file, or a file in a folder, of a name is there.
func (b Bundle) has(name string) bool {
	if _, ok := b.Files[name]; ok {
		return true
	}
	for f := range b.Files {
		if strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return false
}

// proper reports whether a file's path stays below the plugin's folder on every
// system.
func proper(name string) bool {
	if !fs.ValidPath(name) || name == "." || len(name) > 200 || strings.Count(name, "/") > 16 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' || r == ':' || r == 0x7f || r == '\ufffd' })
}

func shorten(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// ReadDir reads the plugin's YAML at file, what it names as dependencies, and
// the folder submodules beside it. Links that lead out of the folder are
// refused. A dependency that is not there is told by Parse, with its line.
func ReadDir(file string) (Bundle, error) {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return Bundle{}, reading(err)
	}
	defer func() { _ = root.Close() }()
	r := reader{root: root, files: map[string][]byte{}}
	plugin, err := r.read(filepath.Base(file), MaxPlugin)
	if err != nil {
		return Bundle{}, reading(err)
	}
	names := append(dependencies(plugin), submodules)
	for _, name := range names {
		name = path.Clean(name)
		if !proper(name) {
			continue // Parse says so, with its place
		}
		if err := r.take(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Bundle{}, reading(err)
		}
	}
	b := Bundle{Plugin: plugin, Files: r.files}
	return b, b.check()
}

func reading(err error) error {
	kind := fault.Invalid
	if errors.Is(err, fs.ErrNotExist) {
		kind = fault.NotFound
	}
	return fmt.Errorf("read tool group: %w: %w", kind, err)
}

// dependencies are the names a plugin lists; what is wrong with it is Parse's
// to tell.
func dependencies(plugin []byte) (names []string) {
	r := located.NewReport("plugin")
	r.Strings("dependencies", 200, &names)(located.Parse(plugin, r).Get("dependencies"))
	return names
}

// reader gathers files below a root, within the limits.
type reader struct {
	root  *os.Root
	files map[string][]byte
	total int
}

// take reads a file, or all files of a folder except those that Python makes.
func (r *reader) take(name string) error {
	return fs.WalkDir(r.root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "__pycache__" || strings.HasPrefix(d.Name(), ".") && d.Name() != "."):
			return fs.SkipDir
		case d.IsDir() || r.files[p] != nil:
			return nil
		case len(r.files) >= MaxFiles:
			return fmt.Errorf("more than %d files", MaxFiles)
		}
		data, err := r.read(p, min(MaxFile, MaxTotal-r.total))
		if err != nil {
			return err
		}
		r.files[p], r.total = data, r.total+len(data)
		return nil
	})
}

func (r *reader) read(name string, limit int) ([]byte, error) {
	f, err := r.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if s, err := f.Stat(); err != nil || !s.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a file", name))
	}
	return atMost(f, name, limit)
}

// atMost reads r to its end and fails where it has more than limit bytes. It
// never returns nil without an error.
func atMost(r io.Reader, name string, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > limit:
		return nil, fmt.Errorf("%s has more bytes than the %d KB that are left for it", shorten(name), limit>>10)
	}
	return data, nil
}

// Pack writes b as one zip. Equal bundles give equal bytes.
func (b Bundle) Pack() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, data []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Time{}})
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	err := add(pluginEntry, b.Plugin)
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		err = errors.Join(err, add(filesEntry+name, b.Files[name]))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("pack tool group: %w: %w", fault.Bug, err)
	}
	return out.Bytes(), nil
}

// Unpack reads what Pack wrote. It unpacks no more than a bundle may hold,
// whatever the zip says of itself; anything strange in it is fault.Invalid.
func Unpack(packed []byte) (Bundle, error) {
	b, err := unpack(packed)
	if err != nil {
		return Bundle{}, fmt.Errorf("unpack tool group: %w: %w", fault.Invalid, err)
	}
	return b, b.check()
}

func unpack(packed []byte) (Bundle, error) {
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return Bundle{}, err
	}
	if len(z.File) > MaxFiles+1 {
		return Bundle{}, fmt.Errorf("%d entries; %d are allowed", len(z.File), MaxFiles+1)
	}
	b := Bundle{Files: map[string][]byte{}}
	left := MaxTotal + MaxPlugin
	for _, f := range z.File {
		name, below := strings.CutPrefix(f.Name, filesEntry)
		switch {
		case !f.Mode().IsRegular():
			return Bundle{}, fmt.Errorf("entry %q is not a file", shorten(f.Name))
		case f.Name != pluginEntry && (!below || !proper(name)):
			return Bundle{}, fmt.Errorf("entry %q does not belong here", shorten(f.Name))
		case f.Name == pluginEntry && b.Plugin != nil || below && b.Files[name] != nil:
			return Bundle{}, fmt.Errorf("entry %q is there twice", shorten(f.Name))
		}
		data, err := entry(f, left)
		if err != nil {
			return Bundle{}, err
		}
		left -= len(data)
		if below {
			b.Files[name] = data
		} else {
			b.Plugin = data
		}
	}
	if b.Plugin == nil {
		return Bundle{}, fmt.Errorf("there is no %s in it", pluginEntry)
	}
	return b, nil
}

func entry(f *zip.File, limit int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return atMost(r, f.Name, min(limit, MaxFile))
}
