package examples

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenform/flow/sandbox"
	"tokenform/flow/sandbox/faults"
)

// image is what a Dockerfile makes: the folder that has its files, and its configuration.
type image struct {
	root   string
	config imageConfig
}

type imageConfig struct {
	User, WorkingDir string
	Env, Entrypoint  []string
	Volumes          map[string]struct{}
}

// build lets buildah carry out the Dockerfile in context. Instead of Go's own image there is
// a Debian with the Go, the caches and the git of this machine. It trusts certificate too,
// so the image does.
func build(t *testing.T, context string, certificate []byte) *image {
	t.Helper()
	file := filepath.Join(context, "examples/release/Dockerfile")
	from := regexp.MustCompile(`(?m)^FROM (golang:(\d+\.\d+)) AS build$`).FindStringSubmatch(string(must(os.ReadFile(file))))
	if from == nil || !strings.Contains(string(must(os.ReadFile("../go.mod"))), "\ngo "+from[2]+".") {
		t.Fatalf("%s: want FROM golang:VERSION AS build, with the version of go.mod: %q", file, from)
	}
	temp := t.TempDir()
	bundle := append(must(os.ReadFile("/etc/ssl/certs/ca-certificates.crt")), certificate...)
	if err := os.WriteFile(filepath.Join(temp, "ca.pem"), bundle, 0o644); err != nil {
		t.Fatal(err)
	}
	// In a namespace of its own, what buildah mounts is gone in the end.
	script := `cd "$1"; golang=$2 context=$3 debian=$4
mkdir lower upper work merged
driver=vfs # copies much
if mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged 2>/dev/null; then driver=overlay; fi
b() { buildah --root "$PWD/root" --runroot "$PWD/run" --storage-driver $driver "$@"; }
base=$(b from scratch)
b add -q "$base" "$debian" /
b copy -q "$base" ca.pem /etc/ssl/certs/ca-certificates.crt
b config --env HOME=/root --env PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin "$base"
b commit -q "$base" "docker.io/library/$golang"
make() {
  b bud -q --pull-never --isolation chroot -v "$(go env GOROOT):/usr/local/go:ro" -v "$(go env GOMODCACHE):/root/go/pkg/mod" \
    -v "$(go env GOCACHE):/root/.cache/go-build" -v "$(command -v git):/usr/bin/git:ro" -v "$(git --exec-path):$(git --exec-path):ro" \
    -f "$context/examples/release/Dockerfile" --ignorefile "$context/examples/release/Dockerfile.dockerignore" "$@" "$context"
}
make --target build -t sources
make -t image
b inspect localhost/image >image.json
cp -a "$(b mount "$(b from --pull-never localhost/image)")/." image
ls -A "$(b mount "$(b from --pull-never localhost/sources)")/src" >sources`
	for _, dir := range []string{"root", "run", "image"} {
		if err := os.Mkdir(filepath.Join(temp, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Git ignores these, and docker must not be sent them.
	for _, secret := range []string{".env", "token.json", ".tokenform/state.json"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(context, secret)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(context, secret), "secret")
	}
	command(t, "", "unshare", "--mount", "sh", "-euc", script, "sh", temp, from[1], context, debianArchive(t))
	sent := strings.Fields(string(must(os.ReadFile(filepath.Join(temp, "sources")))))
	if !slices.Contains(sent, "go.mod") || slices.Contains(sent, ".env") || slices.Contains(sent, "token.json") || slices.Contains(sent, ".tokenform") {
		t.Errorf("docker is sent %q", sent)
	}
	var inspected struct {
		OCIv1 struct {
			Config imageConfig `json:"config"`
		}
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(temp, "image.json"))), &inspected); err != nil {
		t.Fatal(err)
	}
	return &image{filepath.Join(temp, "image"), inspected.OCIv1.Config}
}

// run runs the program of the image as docker run --read-only does: the root cannot be
// written. mounts are the folders of this machine that are mounted in the image; "" hides
// what the image has there.
func (m *image) run(t *testing.T, mounts map[string]string, env []string, args ...string) (code int, output string) {
	t.Helper()
	script := `root=$1 user=$2 dir=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
while [ "$1" != -- ]; do
  if [ -n "$2" ]; then mount --bind "$2" "$root$1"; else mount -t tmpfs -o ro tmpfs "$root$1"; fi
  shift 2
done
shift
exec unshare --root "$root" --wd "$dir" --setuid "${user%:*}" --setgid "${user#*:}" "$@"`
	line := []string{"--mount", "--pid", "--fork", "sh", "-euc", script, "sh", m.root, m.config.User, m.config.WorkingDir}
	for at, from := range mounts {
		line = append(line, at, from)
	}
	cmd := exec.Command("unshare", slices.Concat(line, []string{"--"}, m.config.Entrypoint, args)...)
	cmd.Env = append(append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, m.config.Env...), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	remember(args, out.String(), "")
	return cmd.ProcessState.ExitCode(), out.String()
}

// TestImage makes the image of examples/release/Dockerfile, looks at its files, and runs it
// as a user who may write nothing but the volume.
func TestImage(t *testing.T) {
	releaseNeeds(t, "buildah", "unshare", "git")
	server, url, certificate := secure(t)
	m := build(t, tagged(t, filepath.Join(t.TempDir(), "context")), certificate)

	before := tree(t, m.root)
	var files []string
	for at, mode := range before {
		if at != "" {
			files = append(files, mode[:10]+" "+at)
		}
	}
	slices.Sort(files)
	t.Logf("the image has\n%s", strings.Join(files, "\n"))
	want := []string{
		"-rw-r--r-- /etc/ssl/certs/ca-certificates.crt", "-rwxr-xr-x /usr/bin/tokenform", "drwx------ /run/tokenform", "drwx------ /state",
		"drwxr-xr-x /etc", "drwxr-xr-x /etc/ssl", "drwxr-xr-x /etc/ssl/certs", "drwxr-xr-x /run", "drwxr-xr-x /usr", "drwxr-xr-x /usr/bin",
	}
	if !slices.Equal(files, want) {
		t.Errorf("want\n%s", strings.Join(want, "\n"))
	}
	volumes := slices.Sorted(maps.Keys(m.config.Volumes))
	if m.config.User != "65532:65532" || !slices.Equal(volumes, []string{"/run/tokenform", "/state"}) || m.config.WorkingDir != "/state" || !slices.Equal(m.config.Entrypoint, []string{"/usr/bin/tokenform"}) {
		t.Errorf("%+v", m.config)
	}
	for _, at := range volumes {
		if own := command(t, m.root, "stat", "-c", "%u:%g", "."+at); own != "65532:65532\n" {
			t.Errorf("%s belongs to %s", at, own)
		}
	}
	binary, err := elf.Open(filepath.Join(m.root, "usr/bin/tokenform"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}

	// Volumes are made as docker makes them: with the owner and the mode of the image's
	// folder.
	mounts := map[string]string{"/etc/tokenform": filepath.Join(t.TempDir())}
	for _, at := range volumes {
		mounts[at] = filepath.Join(t.TempDir(), "volume")
		command(t, "", "cp", "-a", filepath.Join(m.root, at), mounts[at])
	}
	if err := os.Mkdir(filepath.Join(m.root, "etc/tokenform"), 0o755); err != nil { // as the mount does
		t.Fatal(err)
	}
	profiles := mounts["/etc/tokenform"]
	write(t, filepath.Join(profiles, "tokenform.yaml"), `profile: demo
client: {id: me}
state: /state
redirect_uri: http://127.0.0.1/callback
outputs: [{type: env, path: "${RUNTIME_DIRECTORY}/demo.env", keys: {access_token: TOKEN}}]
---
profile: app
client: {id: app, secret: {file: secret}}
state: /state
grant: client_credentials
outputs: [{type: env, path: /run/tokenform/app.env, keys: {access_token: TOKEN}}]
---
profile: elsewhere
client: {id: me}
state: /elsewhere
outputs: [{type: env, path: /run/tokenform/elsewhere.env, keys: {access_token: TOKEN}}]
`)
	write(t, filepath.Join(profiles, "secret"), "hush-hush\n")
	command(t, profiles, "chmod", "755", ".")
	command(t, profiles, "chmod", "644", "tokenform.yaml")
	command(t, profiles, "chown", m.config.User, "secret")
	before = tree(t, m.root)
	https := []string{"TOKENFORM_ACCOUNTS_URL=" + url, "TOKENFORM_API_URL=" + url}
	for _, step := range []struct {
		name string
		hide string
		env  []string
		args string
		code int
		says string
	}{
		{"nothing in /etc", "/etc", nil, "version", 0, "tokenform " + releaseTag + " (commit "},
		{"no profile", "/etc", nil, "plan", 3, "/etc/tokenform/tokenform.yaml"},
		{"no certificates", "/etc/ssl", nil, "apply --sandbox -p demo", 0, "logged in, valid for"},
		{"again", "", nil, "apply --sandbox -p demo", 0, "Applied: 1 unchanged"},
		{"status", "", nil, "status --sandbox -p demo", 0, "1 up to date"},
		{"a state that cannot be written", "", nil, "apply --sandbox -p elsewhere", 1, "/elsewhere"},
		{"https without certificates", "/etc/ssl", https, "apply -p app", 1, "its certificate cannot be trusted: signed by an unknown authority"},
		{"https", "", https, "apply -p app", 0, "valid for"},
	} {
		in := maps.Clone(mounts)
		switch step.hide {
		case "/etc":
			in = map[string]string{"/etc": "", "/state": in["/state"]}
		case "":
		default:
			in[step.hide] = ""
		}
		code, said := m.run(t, in, step.env, strings.Fields(step.args)...)
		if code != step.code || !strings.Contains(said, step.says) || strings.Contains(said, "warning:") {
			t.Errorf("%s: %s: exit %d, want %d and %q\n%s", step.name, step.args, code, step.code, step.says, said)
		}
	}
	if n := server.Count("/api/token"); n != 1 {
		t.Errorf("%d requests for a token by https, want 1", n)
	}
	if changed := changes(before, tree(t, m.root)); len(changed) > 0 {
		t.Errorf("the image has changed: %q", changed)
	}
	listed := command(t, mounts["/run/tokenform"], "stat", "-c", "%a %u:%g %n", "demo.env", "app.env")
	if listed != "600 65532:65532 demo.env\n600 65532:65532 app.env\n" {
		t.Errorf("the volume has\n%s", listed)
	}
}

// TestImageContext checks that docker is not sent what git ignores, which may have tokens.
func TestImageContext(t *testing.T) {
	ignored := string(must(os.ReadFile("release/Dockerfile.dockerignore")))
	for line := range strings.Lines(string(must(os.ReadFile("../.gitignore")))) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "/") {
			line = "**/" + line
		}
		if !strings.Contains(ignored, "\n"+line+"\n") {
			t.Errorf("Dockerfile.dockerignore lacks %s", line)
		}
	}
}

// secure starts a stand-in that speaks https, and returns its certificate too.
func secure(t *testing.T) (*faults.Server, string, []byte) {
	t.Helper()
	s := faults.New(sandbox.Options{AnyApp: true, AutoConsent: true, Now: time.Now})
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	server.StartTLS()
	t.Cleanup(server.Close)
	return s, server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}
