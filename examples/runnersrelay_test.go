package examples

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// relayInNamespace is the process in a namespace that passes loopback addresses on to the
// host: "HOST ADDRESS…".
func relayInNamespace(what string) error {
	words := strings.Fields(what)
	for _, a := range words[1:] {
		l, err := net.Listen("tcp", a)
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			return err
		}
		go forward(l, net.JoinHostPort(words[0], port))
	}
	fmt.Println("ready")
	select {}
}

// forward passes the connections of l on to an address.
func forward(l net.Listener, to string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			up, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer up.Close()
			go func() {
				defer up.Close()
				_, _ = io.Copy(up, c)
			}()
			_, _ = io.Copy(c, up)
		}()
	}
}
