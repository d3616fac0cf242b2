package python

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flametree/engine/fault"
)

const (
	installTimeout = 5 * time.Minute
	maxInstalled   = 512 << 20
)

// environment gives the folder with what g requires, installed if need be, ""
// if it requires nothing. Equal requirements share a folder, which nobody
// writes to afterwards.
func (p *Pool) environment(ctx context.Context, g *Group) (string, error) {
	if len(g.requirements) == 0 {
		return "", nil
	}
	what := strings.Join(g.requirements, ", ")
	if p.opt.Cache == "" || p.opt.Wheels == "" && p.opt.Index == "" {
		return "", fmt.Errorf("%s asks for %s, and there is nothing to install it from: no folder of wheels and no package index are set up: %w",
			requirementsFile, shorten(what), fault.Unavailable)
	}
	h := sha256.Sum256([]byte(strings.Join(append([]string{p.starter.python, p.opt.Wheels, p.opt.Index}, g.requirements...), "\n")))
	dir, err := filepath.Abs(filepath.Join(p.opt.Cache, hex.EncodeToString(h[:])))
	if err != nil {
		return "", fmt.Errorf("install %s: %w: %w", shorten(what), fault.Unavailable, err)
	}
	select {
	case p.install <- struct{}{}:
		defer func() { <-p.install }()
	case <-ctx.Done():
		return "", fmt.Errorf("install %s: another installation runs: %w", shorten(what), fault.Exhausted)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := p.build(ctx, g.requirements, dir); err != nil {
		return "", fmt.Errorf("install %s: %w", shorten(what), err)
	}
	return dir, nil
}

// build installs into a folder beside dir and moves it there when it is whole.
func (p *Pool) build(ctx context.Context, wanted []string, dir string) error {
	if err := os.MkdirAll(p.opt.Cache, 0o700); err != nil {
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	if err := p.pip(ctx, wanted, work); err != nil {
		return err
	}
	if err := bounded(work, maxInstalled); err != nil {
		return err
	}
	if err := os.Rename(work, dir); err != nil {
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	return nil
}

// pip runs the installer inside walls of its own: it sees no file of ours but
// the target and the wheels, no variable, and a network only for an index. It
// takes wheels only, so no code of a package runs.
func (p *Pool) pip(ctx context.Context, wanted []string, target string) error {
	m := p.starter.machinery
	a := append(walls(), "--proc", "/proc", "--setenv", "HOME", "/tmp", "--bind", target, "/target")
	source := []string{"--index-url", p.opt.Index}
	if p.opt.Wheels != "" {
		wheels, err := filepath.Abs(p.opt.Wheels)
		if err != nil {
			return fmt.Errorf("%w: %w", fault.Unavailable, err)
		}
		a = append(a, "--ro-bind", wheels, "/wheels")
		source = []string{"--no-index", "--find-links", "/wheels"}
	} else {
		a = append(a, "--share-net")
		for _, f := range []string{"/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/nsswitch.conf"} {
			a = append(a, "--ro-bind-try", f, f)
		}
		if u, err := url.Parse(p.opt.Index); err == nil && u.Scheme == "http" {
			source = append(source, "--trusted-host", u.Hostname())
		}
	}
	if wheel := bundledPip(); wheel != "" {
		a = append(a, "--setenv", "PYTHONPATH", wheel)
	}
	a = append(a, "--remount-ro", "/", "/usr/bin/prlimit", "--as=2147483648", "--fsize=268435456", "--nproc=256", "--core=0",
		m.python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--isolated",
		"--only-binary", ":all:", "--target", "/target")
	a = append(append(append(a, source...), "--"), wanted...)
	cmd := exec.CommandContext(ctx, m.bwrap, a...)
	cmd.Env = []string{}
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("not done in time: %w", fault.Unavailable)
		}
		return fmt.Errorf("%w: %s", fault.Unavailable, said.why())
	}
	return nil
}

// bundledPip is the copy of pip that Debian's python3-venv brings, for where
// pip itself is not installed: out of a zip it takes three times as long.
func bundledPip() string {
	for _, installed := range []string{"/usr/lib/python3*/*-packages/pip", "/usr/local/lib/python3*/*-packages/pip"} {
		if found, err := filepath.Glob(installed); err == nil && len(found) > 0 {
			return ""
		}
	}
	found, err := filepath.Glob("/usr/share/python-wheels/pip-*.whl")
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// bounded checks how much is below a folder.
func bounded(dir string, limit int64) error {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			total += i.Size()
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	case total > limit:
		return fmt.Errorf("the packages have %d MB, %d are allowed: %w", total>>20, limit>>20, fault.Invalid)
	}
	return nil
}

// tail keeps the end of what a program says.
type tail struct{ bytes.Buffer }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	if t.Len() > maxStderr {
		t.Reset()
	}
	return t.Buffer.Write(b)
}

// why is the last error in it.
func (t *tail) why() string {
	var last error
	for line := range strings.Lines(t.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "ERROR:") || last == nil && line != "" {
			last = errors.New(strings.TrimSpace(strings.TrimPrefix(line, "ERROR:")))
		}
	}
	if last == nil {
		return "pip failed"
	}
	return clip(last.Error(), maxError)
}
