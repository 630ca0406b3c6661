package examples

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestRunnersInNamespaces is TestRunners for runners in three network namespaces, whose
// links to etcd and to Spotify are taken down and up again. It takes root.
func TestRunnersInNamespaces(t *testing.T) { // alone, as TestRunners
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	ip, err := exec.LookPath("ip")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatalf("ip is needed, and root: %v", err)
		}
		t.Skip("needs root and ip (Debian: iproute2)")
	}
	e := etcdEngine(t)
	e.name = "etcd in namespaces"
	var spaces []*namespace
	for i := range networks {
		spaces = append(spaces, newNamespace(t, ip, i))
	}
	members := e.endpoints
	e.state = func(int) string {
		return "{type: etcd, endpoints: ['http://" + strings.Join(members, "', 'http://") + "'], prefix: /tokenform/, lock_ttl: 10s}"
	}
	e.attach = func(t *testing.T, spotify string) {
		u, err := url.Parse(spotify)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spaces {
			s.serve(t, append(members, u.Host))
		}
	}
	e.inside = func(network int) []string { return []string{ip, "netns", "exec", spaces[network].name} }
	e.cut = func(network int, off bool) { spaces[network].link(t, !off) }
	runners(t, e, 12*time.Second)
}

// namespace is a network namespace with a link to this machine.
type namespace struct {
	ip, name, outer, inner string // the names of the namespace and of both ends of its link
	host                   string // this machine's address on the link
}

func newNamespace(t *testing.T, ip string, i int) *namespace {
	t.Helper()
	id := fmt.Sprintf("%d-%d", os.Getpid()%100000, i)
	n := &namespace{ip: ip, name: "tf" + id, outer: "tfo" + id, inner: "tfi" + id, host: fmt.Sprintf("198.18.%d.1", i)} // RFC 2544's network for tests
	if out, err := exec.Command(ip, "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("this machine makes no network namespaces: %s", out) // some containers forbid them, even to root
	}
	t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", n.name).Run() }) // the link goes with it
	n.run(t, "link", "add", n.outer, "type", "veth", "peer", "name", n.inner)
	t.Cleanup(func() { _ = exec.Command(ip, "link", "del", n.outer).Run() })
	n.run(t, "link", "set", n.inner, "netns", n.name)
	n.run(t, "addr", "add", n.host+"/30", "dev", n.outer)
	n.run(t, "link", "set", n.outer, "up")
	n.run(t, "-n", n.name, "addr", "add", fmt.Sprintf("198.18.%d.2/30", i), "dev", n.inner)
	n.run(t, "-n", n.name, "link", "set", n.inner, "up")
	n.run(t, "-n", n.name, "link", "set", "lo", "up")
	return n
}

func (n *namespace) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(n.ip, args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// link takes the link up or down.
func (n *namespace) link(t *testing.T, up bool) {
	state := "down"
	if up {
		state = "up"
	}
	if out, err := exec.Command(n.ip, "link", "set", n.outer, state).CombinedOutput(); err != nil {
		t.Errorf("link %s: %v\n%s", state, err, out)
	}
}

// serve makes loopback addresses of this machine answer at the same addresses in the
// namespace, over the link.
func (n *namespace) serve(t *testing.T, addresses []string) {
	t.Helper()
	for _, a := range addresses {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(n.host, port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go forward(l, a)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(n.ip, "netns", "exec", n.name, self)
	cmd.Env = append(os.Environ(), "TEST_FORWARD="+n.host+" "+strings.Join(addresses, " "))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	background(t, cmd)
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the relay in the namespace: %v", err)
	}
}
