package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	anHour  = 3600
	aMinute = 60 // less than min_ttl: due at once
)

func (b *bench) size() error {
	info, err := os.Stat(filepath.Join(b.bin, "tokenform"))
	if err != nil {
		return err
	}
	mib := float64(info.Size()) / (1 << 20)
	b.add("binary, static, stripped", "-", spread{mib, mib, mib}, 10, "MiB")
	return nil
}

// nothing measures a run that has nothing to do.
func (b *bench) nothing() error {
	url, err := listen(&server{life: anHour}, nil)
	if err != nil {
		return err
	}
	p, err := b.project("nothing", url, 1)
	if err != nil {
		return err
	}
	f, err := inTurn(5*b.runs, b.hello(), p.tokenform("token", "token"), p.tokenform("apply", "apply"), p.other("floor", filepath.Join(b.bin, "floor")))
	if err != nil {
		return err
	}
	b.add("token, valid", "hello", f[1].over(f[0]), 1.6, "×")
	b.add("apply, nothing to do", "hello", f[2].over(f[0]), 1.6, "×")
	b.add("the same libraries, doing nothing", "hello", f[3].over(f[0]), 0, "×")
	return nil
}

// many measures the same for many profiles in one call.
func (b *bench) many() error {
	url, err := listen(&server{life: anHour}, nil)
	if err != nil {
		return err
	}
	var list []contender
	sizes := []int{1, 1_000, 10_000}
	for _, n := range sizes {
		p, err := b.project(fmt.Sprintf("many%d", n), url, n)
		if err != nil {
			return err
		}
		list = append(list, p.tokenform("", "apply", "-q"))
	}
	f, err := inTurn(max(b.runs/6, 3), list...)
	if err != nil {
		return err
	}
	for i, n := range sizes[1:] {
		b.add(fmt.Sprintf("apply, nothing to do, %d profiles", n), "each, after the first", f[i+1].beyond(f[0], float64(n-1)*1e3), 60, "µs")
	}
	mib := float64(f[2].rss) / 1024
	b.add("the memory of 10000 profiles", "-", spread{mib, mib, mib}, 48, "MiB")
	return nil
}

func (b *bench) http() error {
	url, err := listen(&server{life: aMinute}, nil)
	if err != nil {
		return err
	}
	return b.refresh("http", url, nil, 1.5)
}

func (b *bench) https() error {
	bundle := filepath.Join(b.dir, "bundle.pem")
	cert, err := authority(bundle)
	if err != nil {
		b.absent = append(b.absent, "https ("+err.Error()+")")
		return nil
	}
	url, err := listen(&server{life: aMinute}, cert)
	if err != nil {
		return err
	}
	// This run also makes the first state over https.
	return b.refresh("https", url, []string{"SSL_CERT_FILE=" + bundle, "CURL_CA_BUNDLE=" + bundle, "NODE_EXTRA_CA_CERTS=" + bundle}, 0.75)
}

// refresh measures one refresh with its token in an .env file, against a server that
// answers at once.
func (b *bench) refresh(kind, url string, env []string, goal float64) error {
	p, err := b.project(kind, url, 1, env...)
	if err != nil {
		return err
	}
	list := []contender{
		p.other("reference", filepath.Join(b.bin, "reference"), url),
		p.tokenform("tokenform", "apply"),
		p.other("x/oauth2, storing twice", filepath.Join(b.bin, "floor"), url),
	}
	list = append(list, b.peers(p, url)...)
	f, err := inTurn(2*b.runs, list...)
	if err != nil {
		return err
	}
	for i, c := range list[1:] {
		limit := 0.0
		if i == 0 {
			limit = goal
		}
		b.add("refresh over "+kind+": "+c.name, "x/oauth2, storing nothing", f[i+1].over(f[0]), limit, "×")
	}
	return nil
}

// peers returns the installed programs that people use instead.
func (b *bench) peers(p *project, url string) []contender {
	var list []contender
	missing := func(programs ...string) bool {
		for _, name := range programs {
			if _, err := exec.LookPath(name); err != nil {
				b.absent = append(b.absent, name)
				return true
			}
		}
		return false
	}
	if !missing("curl") {
		list = append(list, p.other("curl, storing nothing", "curl", "-sf", "-u", "app:secret", "-d", "grant_type=refresh_token", "-d", "refresh_token=AQrefresh", "-o", "/dev/null", url+"/api/token"))
	}
	if !missing("bash", "curl", "jq") {
		list = append(list, p.other("bash, curl and jq", "bash", "-euc", `curl -sf -u app:secret -d grant_type=refresh_token -d refresh_token=AQrefresh "$0/api/token" |
	jq -er '"SPOTIFY_ACCESS_TOKEN=" + .access_token' >bash.env`, url))
	}
	if client, err := filepath.Abs("examples/testdata/clients/node_modules/spotify-web-api-node"); err != nil || missing("node") {
	} else if _, err := os.Stat(client); err != nil {
		b.absent = append(b.absent, "spotify-web-api-node")
	} else {
		list = append(list, p.other("spotify-web-api-node", "node", "--no-deprecation", "-e", node, client, url))
	}
	if exec.Command("python3", "-c", "import spotipy").Run() != nil {
		b.absent = append(b.absent, "spotipy")
	} else {
		list = append(list, p.other("spotipy", "python3", "-c", spotipy, url))
	}
	return list
}

// node sends to the given server instead of Spotify, and stores nothing.
const node = `const [client, server] = process.argv.slice(1);
const http = require(client + '/src/http-manager.js'), Api = require(client);
const send = http._makeRequest;
http._makeRequest = (method, options, uri, done) => send(method, options, server + new URL(uri).pathname, done);
const api = new Api({clientId: 'app', clientSecret: 'secret', refreshToken: 'AQrefresh'});
api.refreshAccessToken().then(r => { if (!r.body.access_token) process.exit(1); }, e => { console.error(e); process.exit(1); });`

const spotipy = `import sys, spotipy.oauth2 as o
class A(o.SpotifyOAuth): OAUTH_TOKEN_URL = sys.argv[1] + "/api/token"
assert A("app", "secret", "http://127.0.0.1:1/c").refresh_access_token("AQrefresh")["access_token"]`

// parallel measures a thousand refreshes at a slow server.
func (b *bench) parallel() error {
	const n, side, delay = 1_000, 20, 50 * time.Millisecond
	late := &server{life: aMinute}
	url, err := listen(late, nil)
	if err != nil {
		return err
	}
	p, err := b.project("parallel", url, n)
	if err != nil {
		return err
	}
	late.delay = delay // no request is under way
	before := late.count.Load()
	const runs = 3
	f, err := inTurn(runs, p.tokenform("", "apply", "-q", "--parallelism", fmt.Sprint(side)))
	if err != nil {
		return err
	}
	if asked := late.count.Load() - before; asked != (runs+1)*n {
		return fmt.Errorf("%d requests, want %d", asked, (runs+1)*n)
	}
	var ratios []float64
	for _, wall := range f[0].walls {
		ratios = append(ratios, float64(wall)/float64(n*delay/side))
	}
	b.add(fmt.Sprintf("%d refreshes, %d at once", n, side), "the server's 50 ms alone", spreadOf(ratios), 1.1, "×")
	return nil
}

// validate checks a file of 1 MiB, the largest that is allowed.
func (b *bench) validate() error {
	dir := filepath.Join(b.dir, "validate")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	text := profiles(0, 10_000)
	text = text[:strings.LastIndex(text[:1<<20], "---")]
	if err := os.WriteFile(filepath.Join(dir, "tokenform.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	f, err := inTurn(max(b.runs/3, 5), b.hello(), contender{"", dir, nil, []string{filepath.Join(b.bin, "tokenform"), "validate"}})
	if err != nil {
		return err
	}
	b.add("validate, 1 MiB of profiles", "more than hello", f[1].beyond(f[0], 1e6), 100, "ms")
	return nil
}

// watch looks after a hundred tokens, none of them due.
func (b *bench) watch() error {
	url, err := listen(&server{life: anHour}, nil)
	if err != nil {
		return err
	}
	p, err := b.project("watch", url, 100)
	if err != nil {
		return err
	}
	c := p.tokenform("", "watch", "-q")
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	time.Sleep(5 * time.Second)
	before, _, err := usage(cmd.Process.Pid)
	if err != nil {
		return err
	}
	const minute = 60 * time.Second
	time.Sleep(minute)
	after, rss, err := usage(cmd.Process.Pid)
	if err != nil {
		return err
	}
	share := float64(after-before) / float64(minute) * 100
	b.add("watch, idle, 100 profiles: processor", "-", spread{share, share, share}, 0.1, "%")
	b.add("watch, idle, 100 profiles: memory", "-", spread{rss, rss, rss}, 24, "MiB")
	return nil
}

// usage returns a process's CPU time, and its memory in MiB (proc(5)).
func usage(pid int) (cpu time.Duration, rss float64, err error) {
	var ns int64
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, 0, fmt.Errorf("process %d has ended", pid)
	}
	for _, file := range threads {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		var n int64
		if _, err := fmt.Sscan(string(b), &n); err != nil {
			return 0, 0, err
		}
		ns += n
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	_, err = fmt.Sscan(line, &kib)
	return time.Duration(ns), kib / 1024, err
}
