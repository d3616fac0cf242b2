package call_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tap listens on the loopback interface: it sees what foreign phones and the
// program send each other, when it is on the wire, and touches nothing.
type tap struct {
	fd   int
	done chan struct{}

	mu    sync.Mutex
	stop  bool
	media map[string]*ends // by Call-ID
	rtp   map[[2]uint16]side
	laws  map[uint8]*law
}

// ends are the ports of a call's sound, as the descriptions say.
type ends struct{ caller, agent uint16 }

// wiretap starts to listen. It needs the right to open raw sockets.
func wiretap(t *testing.T) *tap {
	t.Helper()
	proto := int(binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, proto)
	require.NoError(t, err, "a raw socket (are you root?)")
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20))
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}))
	p := &tap{fd: fd, done: make(chan struct{}), media: map[string]*ends{}, rtp: map[[2]uint16]side{}, laws: laws()}
	go p.run()
	t.Cleanup(func() {
		p.mu.Lock()
		p.stop = true
		p.mu.Unlock()
		<-p.done
		require.NoError(t, unix.Close(fd))
	})
	return p
}

func (p *tap) run() {
	defer close(p.done)
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, on, _, _, err := unix.Recvmsg(p.fd, buf, oob, 0)
		p.mu.Lock()
		stop := p.stop
		p.mu.Unlock()
		if stop {
			return
		}
		if err != nil {
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
				continue
			}
			return
		}
		p.take(arrival(oob[:on]), buf[:n])
	}
}

// arrival is when the kernel saw a packet.
func arrival(oob []byte) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err == nil {
		for _, m := range msgs {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
				sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
				return time.Unix(int64(sec), int64(nsec))
			}
		}
	}
	return time.Now()
}

// take looks at an IPv4 packet.
func (p *tap) take(at time.Time, b []byte) {
	if len(b) < 28 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_UDP {
		return
	}
	head := int(b[0]&0x0f) * 4
	if len(b) < head+8 {
		return
	}
	from, to := binary.BigEndian.Uint16(b[head:]), binary.BigEndian.Uint16(b[head+2:])
	body := b[head+8:]
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(body) > 12 && body[0]>>6 == 2 && body[1]&0x7f < 128 && (body[1] < 192 || body[1] > 223) {
		if r, ok := parseRTP(at, body, p.laws); ok {
			k := [2]uint16{from, to}
			p.rtp[k] = append(p.rtp[k], r)
		}
		return
	}
	p.signal(body)
}

// signal notes the ports in a description.
func (p *tap) signal(b []byte) {
	id := field(b, `(?im)^(?:Call-ID|i):\s*(\S+)\s*$`)
	port, err := strconv.ParseUint(field(b, `(?m)^m=audio (\d+) `), 10, 16)
	if id == "" || err != nil {
		return
	}
	e := p.media[id]
	if e == nil {
		e = &ends{}
		p.media[id] = e
	}
	if string(b[:7]) == "SIP/2.0" {
		e.agent = uint16(port)
	} else {
		e.caller = uint16(port)
	}
}

func field(b []byte, expr string) string {
	m := regexp.MustCompile(expr).FindSubmatch(b)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// call is what both sides of a call have sent so far, by its Call-ID.
func (p *tap) call(id string) (caller, agent side) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.media[id]
	if e == nil {
		return nil, nil
	}
	return append(side(nil), p.rtp[[2]uint16{e.caller, e.agent}]...), append(side(nil), p.rtp[[2]uint16{e.agent, e.caller}]...)
}

func powerDB(power float64) float64 {
	if power <= 0 {
		return 0
	}
	return 10 * math.Log10(power)
}

// port is the port of an address.
func port(t *testing.T, address string) string {
	t.Helper()
	a, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	return strconv.Itoa(int(a.Port()))
}
