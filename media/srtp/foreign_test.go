package srtp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// libsrtp builds the peer of testdata once a test.
func libsrtp(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "peer")
	if out, err := exec.Command("gcc", "-O1", "-o", bin, "testdata/peer.c", "-lsrtp2").CombinedOutput(); err != nil {
		t.Fatalf("build the peer (apt: gcc libsrtp2-dev): %v\n%s", err, out)
	}
	return bin
}

const change = 0xFFFF // as length: take the second key

// through gives packets to the peer and returns what it makes of them; nil
// among them is the change of keys.
func through(t *testing.T, bin, way, kind string, keys [2]Key, packets [][]byte) [][]byte {
	t.Helper()
	var in bytes.Buffer
	for _, p := range packets {
		if p == nil {
			in.Write([]byte{change >> 8, change & 0xFF})
			continue
		}
		in.Write(binary.BigEndian.AppendUint16(nil, uint16(len(p))))
		in.Write(p)
	}
	cmd := exec.Command(bin, way, kind, string(keys[0].Suite()), hex.EncodeToString(keys[0].Reveal()), hex.EncodeToString(keys[1].Reveal()))
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for len(out) >= 2 {
		n := int(binary.BigEndian.Uint16(out))
		got, out = append(got, out[2:2+n]), out[2+n:]
	}
	return got
}

// drawn draws a key for us and gives another copy of it for the peer.
func drawn(t *testing.T, s Suite) (ours, theirs [2]Key) {
	for i := range ours {
		ours[i], theirs[i] = key(t, s)
	}
	return ours, theirs
}

const (
	rounds  = 8_000 // packets, over the end of the sequence numbers
	changed = 6_500 // when keys change
)

func TestLibsrtpOpensWhatWeSeal(t *testing.T) {
	bin := libsrtp(t)
	for _, suite := range Suites() {
		t.Run(string(suite), func(t *testing.T) {
			ours, theirs := drawn(t, suite)
			back, _ := key(t, suite)
			s := new(Session)
			defer s.Close()
			if err := s.Rekey(ours[0], back, now); err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(5, 5))
			var sealed, plain [][]byte
			for n := range rounds {
				if n == changed {
					if err := s.Rekey(ours[1], Key{}, now); err != nil {
						t.Fatal(err)
					}
					sealed = append(sealed, nil)
				}
				p := rtpPacket(7, uint16(60_000+n), uint32(n)*160)
				out := bytes.Clone(s.Seal(bytes.Clone(p)))
				if rnd.IntN(100) > 0 || n == changed {
					sealed, plain = append(sealed, out), append(plain, p)
				}
			}
			for i, got := range through(t, bin, "open", "rtp", theirs, sealed) {
				if !bytes.Equal(got, plain[i]) {
					t.Fatalf("packet %d of %d: libsrtp opens %d bytes", i, len(plain), len(got))
				}
			}
		})
	}
}

func TestWeOpenWhatLibsrtpSeals(t *testing.T) {
	bin := libsrtp(t)
	for _, suite := range Suites() {
		t.Run(string(suite), func(t *testing.T) {
			ours, theirs := drawn(t, suite)
			back, _ := key(t, suite)
			s := new(Session)
			defer s.Close()
			if err := s.Rekey(back, ours[0], now); err != nil {
				t.Fatal(err)
			}
			var plain [][]byte
			for n := range rounds {
				if n == changed {
					plain = append(plain, nil)
				}
				plain = append(plain, rtpPacket(7, uint16(60_000+n), uint32(n)*160))
			}
			sealed := through(t, bin, "seal", "rtp", theirs, plain)
			rnd := rand.New(rand.NewPCG(5, 6))
			for n, packet := range sealed {
				if n == changed-2 { // signalling is quicker than the packets
					if err := s.Rekey(Key{}, ours[1], now); err != nil {
						t.Fatal(err)
					}
				}
				if rnd.IntN(100) == 0 {
					continue
				}
				if got := open(s, packet); len(got) != headerSize+160 || binary.BigEndian.Uint16(got[headerSize:]) != uint16(60_000+n) {
					t.Fatalf("packet %d was lost", n)
				}
			}
		})
	}
}

func TestLibsrtpAndWeUnderstandEachOthersReports(t *testing.T) {
	bin := libsrtp(t)
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 2, 0, 0, 0, 7, 1, 2, 'm', 'e'}
	for _, suite := range Suites() {
		t.Run(string(suite), func(t *testing.T) {
			ours, theirs := drawn(t, suite)
			back, backThere := drawn(t, suite)
			s := new(Session)
			defer s.Close()
			if err := s.Rekey(ours[0], back[0], now); err != nil {
				t.Fatal(err)
			}
			reports := [][]byte{report, report, report, report}
			var sealed [][]byte
			for range reports {
				sealed = append(sealed, s.SealControl(report))
			}
			for i, got := range through(t, bin, "open", "rtcp", theirs, sealed) {
				if !bytes.Equal(got, report) {
					t.Errorf("report %d: libsrtp opens %x", i, got)
				}
			}
			for i, packet := range through(t, bin, "seal", "rtcp", backThere, reports) {
				if got := s.OpenControl(packet, now); !bytes.Equal(got, report) {
					t.Errorf("report %d: we open %x", i, got)
				}
			}
		})
	}
}

// files writes our certificate and key for openssl.
func files(t *testing.T, i *Identity) (cert, private string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.certificate.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, private = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert:    {Type: "CERTIFICATE", Bytes: i.certificate.Certificate[0]},
		private: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, private
}

// socket joins an association to a UDP socket of the loopback. Peer is where
// to send until something comes.
func socket(t *testing.T, peer net.Addr) (*Association, *net.UDPConn) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to := make(chan net.Addr, 1)
	if peer != nil {
		to <- peer
	}
	a := NewAssociation(func(b []byte) {
		addr := <-to
		to <- addr
		_, _ = conn.WriteTo(b, addr)
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for known := peer != nil; ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if !known {
				to <- from
				known = true
			}
			a.Deliver(buf[:n])
		}
	}()
	t.Cleanup(func() {
		a.Close(false)
		_ = conn.Close()
		<-done
	})
	return a, conn
}

// exported reads the keying material that openssl prints.
func exported(t *testing.T, out string) string {
	t.Helper()
	m := regexp.MustCompile(`Keying material: ([0-9A-F]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("openssl printed no keys:\n%s", out)
	}
	return m[1]
}

// materialOf puts keys into the order of RFC 5764 4.2.
func materialOf(client, server Key) string {
	n, _ := client.Suite().parts()
	c, s := client.Reveal(), server.Reveal()
	return strings.ToUpper(hex.EncodeToString(bytes.Join([][]byte{c[:n], s[:n], c[n:], s[n:]}, nil)))
}

var profiles = map[string]Suite{
	"SRTP_AES128_CM_SHA1_80": AES128CM80, "SRTP_AES128_CM_SHA1_32": AES128CM32,
	"SRTP_AEAD_AES_128_GCM": AES128GCM, "SRTP_AEAD_AES_256_GCM": AES256GCM,
}

// openssl runs it until ours is over; it prints the keys it has agreed on.
func openssl(t *testing.T, args ...string) (stop func() string, printed io.Reader) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	stdin, err := cmd.StdinPipe() // s_client ends when it is closed
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, w), w
	if err := cmd.Start(); err != nil {
		t.Fatalf("openssl (apt: openssl): %v", err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait()
		_ = w.Close()
	}()
	return func() string {
		_, _ = io.WriteString(stdin, "Q\n")
		_ = stdin.Close()
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-over
		}
		return out.String()
	}, r
}

func TestOpensslAsClientAgreesOnTheSameKeys(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	cert, private := files(t, theirs)
	for profile, suite := range profiles {
		t.Run(profile, func(t *testing.T) {
			a, conn := socket(t, nil)
			stop, printed := openssl(t, "s_client", "-dtls1_2", "-connect", conn.LocalAddr().String(), "-cert", cert, "-key", private,
				"-use_srtp", profile, "-keymatexport", exporter, "-keymatexportlen", fmt.Sprint(2*suite.Len()))
			go func() { _, _ = io.Copy(io.Discard, printed) }()
			our, peer, err := a.Run(context.Background(), Terms{ours, theirs.Fingerprint(), false})
			if err != nil {
				t.Error(err, stop())
				return
			}
			if got := exported(t, stop()); our.Suite() != suite || got != materialOf(peer, our) {
				t.Errorf("%s: openssl has other keys than we", our.Suite())
			}
		})
	}
}

func TestOpensslAsServerAgreesOnTheSameKeys(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	cert, private := files(t, theirs)
	for profile, suite := range profiles {
		t.Run(profile, func(t *testing.T) {
			probe, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			addr := probe.LocalAddr()
			_ = probe.Close() // openssl wants a port of its own
			stop, printed := openssl(t, "s_server", "-dtls1_2", "-accept", addr.String(), "-cert", cert, "-key", private, "-Verify", "1",
				"-use_srtp", profile, "-keymatexport", exporter, "-keymatexportlen", fmt.Sprint(2*suite.Len()))
			listening := make([]byte, 200)
			if _, err := printed.Read(listening); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, printed) }()
			a, _ := socket(t, addr)
			our, peer, err := a.Run(context.Background(), Terms{ours, theirs.Fingerprint(), true})
			if err != nil {
				t.Error(err, stop())
				return
			}
			a.Close(false) // s_server prints when the client has gone
			if got := exported(t, stop()); our.Suite() != suite || got != materialOf(our, peer) {
				t.Errorf("%s: openssl has other keys than we", our.Suite())
			}
		})
	}
}

func TestOpensslReadsTheSameFingerprint(t *testing.T) {
	i := identity(t)
	cert, _ := files(t, i)
	out, err := exec.Command("openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, digits, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
	if want := "sha-256 " + digits; i.Fingerprint().String() != want {
		t.Errorf("%s, openssl says %s", i.Fingerprint(), want)
	}
}
