package twiliotest

import (
	"errors"
	"sync"
	"time"
)

// Socket is one end of a text connection, as twilio.Conn.
type Socket interface {
	Read() ([]byte, error)
	Write(text []byte) error
	Close(code int, reason string)
}

// ErrClosed is what Read and Write of a Pipe fail with after a Close.
var ErrClosed = errors.New("the pipe is closed")

// Pipe is a connection in memory whose frames take delay each way. It works in
// a bubble of testing/synctest.
func Pipe(delay time.Duration) (ours, theirs Socket) {
	gone, code := make(chan struct{}), new(closing)
	a, b := make(chan parcel, 4096), make(chan parcel, 4096)
	return &end{in: a, out: b, gone: gone, closing: code, delay: delay}, &end{in: b, out: a, gone: gone, closing: code, delay: delay}
}

type parcel struct {
	at   time.Time
	text []byte
}

type closing struct{ once sync.Once }

type end struct {
	in, out chan parcel
	gone    chan struct{}
	closing *closing
	delay   time.Duration
}

func (e *end) Read() ([]byte, error) {
	var p parcel
	select {
	case p = <-e.in:
	default:
		select {
		case p = <-e.in:
		case <-e.gone:
			select {
			case p = <-e.in: // what was written before the close comes first
			default:
				return nil, ErrClosed
			}
		}
	}
	if wait := time.Until(p.at.Add(e.delay)); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		<-timer.C
	}
	return p.text, nil
}

func (e *end) Write(text []byte) error {
	select {
	case <-e.gone:
		return ErrClosed
	default:
	}
	select {
	case e.out <- parcel{time.Now(), text}:
		return nil
	default:
		return errors.New("nobody reads the pipe")
	}
}

func (e *end) Close(int, string) { e.closing.once.Do(func() { close(e.gone) }) }
