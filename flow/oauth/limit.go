package oauth

import (
	"net"
	"sync"
)

// maxConnections is far more than a browser opens, so that hundreds of silent
// connections do not hold the browser up, and half of the smallest usual limit on open
// files. Further connections wait in the kernel's queue until others end or time out.
const maxConnections = 512

// limit bounds how many of l's connections are open at once. limit calls secured if a
// connection begins with a TLS handshake.
func limit(l net.Listener, n int, secured func()) net.Listener {
	return &limited{Listener: l, secured: secured, free: make(chan struct{}, n), closed: make(chan struct{})}
}

type limited struct {
	net.Listener
	secured func()
	free    chan struct{} // has one element per open connection
	closed  chan struct{}
	once    sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: conn, secured: l.secured, done: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	secured func()
	begun   bool // something has been read
	done    func()
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	const handshake = 22 // the content type of a TLS record (RFC 8446 section 5.1)
	if n > 0 && !c.begun && b[0] == handshake {
		c.secured()
	}
	c.begun = c.begun || n > 0
	return n, err
}

func (c *counted) Close() error {
	defer c.done()
	return c.Conn.Close()
}

// CloseWrite lets net/http end a refusal properly if part of the request is unread: a
// plain Close would reset the connection before the client has read the answer.
func (c *counted) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
