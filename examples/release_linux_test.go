package examples

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of a release take minutes, so they run only if TOKENFORM_TEST_RELEASE is set,
// and must run if it is "require". .ci/run installs what they need.

// releaseNeeds skips the test if it is not wanted, or if a program is missing.
func releaseNeeds(t *testing.T, programs ...string) {
	t.Helper()
	wanted := os.Getenv("TOKENFORM_TEST_RELEASE")
	if wanted == "" {
		t.Skip("takes minutes: set TOKENFORM_TEST_RELEASE")
	}
	missing := []string{}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if os.Geteuid() != 0 {
		missing = append(missing, "the rights of root")
	}
	switch {
	case len(missing) == 0:
	case wanted == "require":
		t.Fatalf("missing: %s; .ci/run installs them", strings.Join(missing, ", "))
	default:
		t.Skipf("missing: %s; .ci/run installs them", strings.Join(missing, ", "))
	}
}

// The snapshot's commit, tag and version.
const (
	releaseTag     = "v1.2.3"
	releaseVersion = "1.2.4-next"
	releaseTime    = "2026-01-02T03:04:05Z"
)

// tagged makes a copy of the working tree the only commit of a repository, below dir, with a
// tag. Each copy has the same commit.
func tagged(t *testing.T, dir string) string {
	t.Helper()
	files := checkout(t)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(files, dir); err != nil {
		t.Fatal(err)
	}
	commit := exec.Command("sh", "-euc", "git init -q\ngit add -A\ngit commit -qm release\ngit tag "+releaseTag+"\ngit remote add origin https://example.com/me/tokenform.git") // goreleaser wants one
	commit.Dir = dir
	commit.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.invalid", "GIT_AUTHOR_DATE="+releaseTime,
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.invalid", "GIT_COMMITTER_DATE="+releaseTime)
	if out, err := commit.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// command runs name and returns what it printed. A failure ends the test.
func command(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRelease makes a snapshot twice, and looks at every file of it: what is in it, whether
// it runs, is installed, is found by a shell, and is removed without leftovers.
func TestRelease(t *testing.T) {
	releaseNeeds(t, "goreleaser", "cyclonedx-gomod", "rpm", "dpkg-deb", "ruby", "qemu-aarch64-static", "qemu-arm-static", "unshare", "git")
	temp := t.TempDir()
	first := tagged(t, filepath.Join(temp, "first"))
	begun := time.Now()
	command(t, first, "goreleaser", "check")
	command(t, first, "goreleaser", "release", "--snapshot", "--clean")
	t.Logf("the snapshot took %v", time.Since(begun).Round(time.Second))
	r := &released{dist: filepath.Join(first, ".dist"), pages: manPages(t)}
	t.Run("files", r.files)
	t.Run("archives", r.archives)
	t.Run("sbom", r.sboms)
	t.Run("lists", r.lists)
	t.Run("deb", r.deb)
	t.Run("rpm", r.rpm)
	t.Run("manifests", func(t *testing.T) { r.manifests(t, first) })
	t.Run("reproducible", func(t *testing.T) {
		begun := time.Now()
		second := tagged(t, filepath.Join(temp, "another folder", "second"))
		command(t, second, "sh", "-c", "umask 077; TZ=Asia/Tokyo LC_ALL=C exec goreleaser release --snapshot --clean")
		t.Logf("the second snapshot took %v", time.Since(begun).Round(time.Second))
		for _, name := range r.names(t) {
			if again, err := os.ReadFile(filepath.Join(second, ".dist", name)); err != nil || !bytes.Equal(r.read(t, name), again) {
				t.Errorf("%s differs: %v", name, err)
			}
		}
	})
}

// manPages returns the names of the pages that the program writes, "tokenform-apply.1".
func manPages(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	command(t, dir, program, "help", "--man", dir)
	var names []string
	for _, e := range must(os.ReadDir(dir)) {
		names = append(names, e.Name())
	}
	if len(names) < 20 {
		t.Fatalf("only %d man pages", len(names))
	}
	return names
}

// released is a snapshot: the folder with its files, and the man pages that it should have.
type released struct {
	dist  string
	pages []string
}

// A platform is what one binary is for.
type platform struct{ os, arch string }

// String returns the platform as the names of files have it.
func (p platform) String() string {
	if p.arch == "arm" {
		return p.os + "_armv7"
	}
	return p.os + "_" + p.arch
}

var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"linux", "arm"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

func (r *released) name(p platform, ext string) string {
	return fmt.Sprintf("tokenform_%s_%s.%s", releaseVersion, p, ext)
}

func (r *released) archive(p platform) string {
	if p.os == "windows" {
		return r.name(p, "zip")
	}
	return r.name(p, "tar.gz")
}

func (r *released) read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dist, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// names returns the names of all files that a release publishes.
func (r *released) names(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, e := range must(os.ReadDir(r.dist)) {
		switch name := e.Name(); {
		case e.IsDir(), name == "artifacts.json", name == "metadata.json", name == "config.yaml":
			// goreleaser's own notes
		default:
			names = append(names, name)
		}
	}
	return names
}

// files checks that the snapshot has exactly the files that it should have, that the
// checksums are theirs, and lists them.
func (r *released) files(t *testing.T) {
	want := []string{"checksums.txt"}
	for _, p := range platforms {
		want = append(want, r.archive(p), r.name(p, "cdx.json"))
		if p.os == "linux" {
			want = append(want, r.name(p, "deb"), r.name(p, "rpm"))
		}
	}
	slices.Sort(want)
	got := r.names(t)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	var sums, list strings.Builder
	for _, name := range got {
		b := r.read(t, name)
		fmt.Fprintf(&list, "\n%9d  %s", len(b), name)
		if name != "checksums.txt" {
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), name)
		}
	}
	t.Log(list.String())
	if published := string(r.read(t, "checksums.txt")); published != sums.String() {
		t.Errorf("checksums.txt has\n%s\nwant\n%s", published, sums.String())
	}
}

// archived is one file in an archive.
type archived struct {
	mode  fs.FileMode
	owner string
	time  time.Time
	data  []byte
}

// unpack reads an archive, which must have no entries other than files.
func unpack(t *testing.T, name string, b []byte) map[string]archived {
	t.Helper()
	found := map[string]archived{}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			found[f.Name] = archived{f.Mode(), "root:root", f.Modified.UTC(), must(io.ReadAll(content))}
		}
		return found
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if err == io.EOF {
			return found
		}
		if err != nil || h.Typeflag != tar.TypeReg {
			t.Fatalf("%s: %s: %v", name, h.Name, err)
		}
		found[h.Name] = archived{h.FileInfo().Mode(), h.Uname + ":" + h.Gname, h.ModTime.UTC(), must(io.ReadAll(files))}
	}
}

// archives checks the files in each archive, and runs the program in it, if this machine
// can run or emulate it.
func (r *released) archives(t *testing.T) {
	completions := map[string]string{
		"completions/tokenform.bash": "bash", "completions/tokenform.fish": "fish",
		"completions/tokenform.ps1": "powershell", "completions/_tokenform": "zsh",
	}
	emulators := map[platform][]string{
		{"linux", "amd64"}: {}, {"linux", "arm64"}: {"qemu-aarch64-static"}, {"linux", "arm"}: {"qemu-arm-static"},
	}
	for _, p := range platforms {
		name := r.archive(p)
		binary := "tokenform"
		if p.os == "windows" {
			binary = "tokenform.exe"
		}
		want := append(slices.Collect(maps.Keys(completions)), "README.md", binary)
		for _, page := range r.pages {
			want = append(want, "man/"+page+".gz")
		}
		slices.Sort(want)
		files := unpack(t, name, r.read(t, name))
		if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
			t.Errorf("%s has %q\nwant %q", name, got, want)
			continue
		}
		for file, f := range files {
			mode := fs.FileMode(0o644)
			if file == binary {
				mode = 0o755
			}
			if f.mode != mode || f.owner != "root:root" || f.time.Format(time.RFC3339) != releaseTime {
				t.Errorf("%s: %s has the mode %v, the owner %s, the time %v", name, file, f.mode, f.owner, f.time)
			}
		}
		if string(files["README.md"].data) != readme(t) {
			t.Errorf("%s: not the README", name)
		}
		for file, shell := range completions {
			if string(files[file].data) != command(t, "", program, "completion", shell) {
				t.Errorf("%s: %s is not what the program prints", name, file)
			}
		}
		r.binary(t, name, p, files[binary].data)
		if emulator, ok := emulators[p]; ok {
			at := filepath.Join(t.TempDir(), "tokenform")
			if err := os.WriteFile(at, files[binary].data, 0o755); err != nil {
				t.Fatal(err)
			}
			line := append(slices.Clone(emulator), at, "version")
			said := command(t, "", line[0], line[1:]...)
			if !regexp.MustCompile(`^tokenform ` + releaseTag + ` \(commit [0-9a-f]{12} of 2026-01-02, go\S+ ` + p.os + "/" + p.arch + `\)\n$`).MatchString(said) {
				t.Errorf("%s: the program says %q", name, said)
			}
		}
	}
}

// binary checks what the Go command has put into a binary, and its size.
func (r *released) binary(t *testing.T, name string, p platform, b []byte) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(b))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"GOOS": p.os, "GOARCH": p.arch, "CGO_ENABLED": "0", "-trimpath": "true", "vcs.time": releaseTime, "vcs.modified": "false"} {
		if settings[key] != want {
			t.Errorf("%s: %s is %q, want %q", name, key, settings[key], want)
		}
	}
	if info.Main.Version != releaseTag || p.arch == "arm" && settings["GOARM"] != "7" {
		t.Errorf("%s: %s, %v", name, info.Main.Version, settings)
	}
	most := 21 << 19 // the formats of macOS and Windows are larger
	if strings.Contains(name, "linux") {
		most = 10 << 20
	}
	if len(b) > most {
		t.Errorf("%s: the binary has %d bytes, over %d", name, len(b), most)
	}
}

// sboms checks that each list of what is in a binary has the modules that the binary has.
func (r *released) sboms(t *testing.T) {
	for _, p := range platforms {
		var list struct {
			BOMFormat string `json:"bomFormat"`
			Metadata  struct {
				Component struct{ Name, Version string }
			}
			Components []struct{ Name, Version, PURL string }
		}
		if err := json.Unmarshal(r.read(t, r.name(p, "cdx.json")), &list); err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, c := range list.Components {
			got = append(got, c.Name+" "+c.Version)
			if !strings.HasPrefix(c.PURL, "pkg:golang/"+c.Name+"@"+c.Version) {
				t.Errorf("%s: the purl of %s is %s", p, c.Name, c.PURL)
			}
		}
		for file, f := range unpack(t, r.archive(p), r.read(t, r.archive(p))) {
			if file != "tokenform" && file != "tokenform.exe" {
				continue
			}
			info := must(buildinfo.Read(bytes.NewReader(f.data)))
			want = append(want, "std "+info.GoVersion)
			for _, m := range info.Deps {
				want = append(want, m.Path+" "+m.Version)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if main := list.Metadata.Component; list.BOMFormat != "CycloneDX" || main.Name != "tokenform" || main.Version != releaseTag || len(want) < 8 || !slices.Equal(got, want) {
			t.Errorf("%s: %+v: got %q\nwant %q", p, main, got, want)
		}
	}
}

// installs returns the paths that a package of the kind installs, without directories.
func (r *released) installs(kind string) []string {
	paths := []string{
		"/usr/bin/tokenform",
		"/usr/share/bash-completion/completions/tokenform",
		"/usr/share/doc/tokenform/README.md",
		"/usr/share/fish/vendor_completions.d/tokenform.fish",
		map[string]string{"deb": "/usr/share/zsh/vendor-completions/_tokenform", "rpm": "/usr/share/zsh/site-functions/_tokenform"}[kind],
	}
	for _, page := range r.pages {
		paths = append(paths, "/usr/share/man/man"+page[len(page)-1:]+"/"+page+".gz")
	}
	slices.Sort(paths)
	return paths
}

// lists checks what each package would install, and for which machine it is.
func (r *released) lists(t *testing.T) {
	for arch, of := range map[string]struct{ deb, rpm string }{"amd64": {"amd64", "x86_64"}, "arm64": {"arm64", "aarch64"}, "arm": {"armhf", "armv7hl"}} {
		p := platform{"linux", arch}
		deb, rpm := filepath.Join(r.dist, r.name(p, "deb")), filepath.Join(r.dist, r.name(p, "rpm"))
		var got []string
		for line := range strings.Lines(command(t, "", "dpkg-deb", "-c", deb)) {
			fields := strings.Fields(line)
			if fields[1] != "root/root" || !slices.Contains([]string{"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"}, fields[0]) {
				t.Errorf("%s: %s", p, line)
			}
			if !strings.HasPrefix(line, "d") {
				got = append(got, strings.TrimPrefix(fields[5], "."))
			}
		}
		slices.Sort(got)
		if want := r.installs("deb"); !slices.Equal(got, want) {
			t.Errorf("%s: the deb has %q\nwant %q", p, got, want)
		}
		if got := strings.TrimSpace(command(t, "", "dpkg-deb", "-f", deb, "Architecture")); got != of.deb {
			t.Errorf("the deb of %s is for %s", p, got)
		}
		got = strings.Fields(command(t, "", "rpm", "-qpl", rpm))
		if want := append(r.installs("rpm"), "/usr/share/doc/tokenform"); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: the rpm has %q\nwant %q", p, got, want)
		}
		if got := command(t, "", "rpm", "-qp", "--queryformat", "%{ARCH}", rpm); got != of.rpm {
			t.Errorf("the rpm of %s is for %s", p, got)
		}
	}
}

// debianArchive returns the path of an archive that has a Debian with nothing but the
// essential packages and bash-completion.
func debianArchive(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "tokenform-tests", "debian.tar")
}

// debian unpacks a fresh Debian, and returns the folder that is its root.
func debian(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	command(t, "", "tar", "-C", root, "--numeric-owner", "-xpf", debianArchive(t))
	return root
}

// within returns a command that runs a script in root, which has nothing of this machine
// but /proc and /dev.
func within(root, script string) *exec.Cmd {
	cmd := exec.Command("unshare", "--mount", "sh", "-euc", `mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
exec chroot "$0" /bin/bash -euc "$1"`, root, script)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LC_ALL=C"}
	return cmd
}

// tree returns the paths below root, with what would show a change.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(p, root)
		found[at] = info.Mode().String()
		if !d.IsDir() {
			found[at] += fmt.Sprint(" ", info.Size(), " ", info.ModTime())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// changes returns the paths that differ between two trees, each after +, - or ~.
func changes(before, after map[string]string) []string {
	var list []string
	for p, was := range before {
		switch is, ok := after[p]; {
		case !ok:
			list = append(list, "-"+p)
		case is != was:
			list = append(list, "~"+p)
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok {
			list = append(list, "+"+p)
		}
	}
	slices.Sort(list)
	return list
}

// useInstalled runs the program of an installed package, as a user who may write their home
// only.
const useInstalled = `install -d -o 65532 -g 65532 /tmp/home
cd /tmp/home
run() { setpriv --reuid 65532 --regid 65532 --clear-groups env HOME=/tmp/home "$@"; }
run tokenform version
printf 'client: {id: me}\noutputs: [{type: env, path: .env, keys: {access_token: TOKEN}}]\n' >tokenform.yaml
run tokenform apply --sandbox
grep -c '^TOKEN=BQ' .env
run tokenform destroy --sandbox --yes
cd /
rm -r /tmp/home
`

// deb installs the package in a fresh Debian, uses it, completes its name's arguments with
// Tab in a bash, and removes it.
func (r *released) deb(t *testing.T) {
	root := debian(t)
	if err := os.WriteFile(filepath.Join(root, "root", "tokenform.deb"), r.read(t, r.name(platforms[0], "deb")), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "root", "bashrc"), ". /usr/share/bash-completion/bash_completion\nunset HISTFILE\nPS1=READY-\ncomplete -p tokenform\n")
	before := tree(t, root)
	bookkeeping := func(all []string) (rest []string) {
		return slices.DeleteFunc(slices.Clone(all), func(change string) bool {
			at := change[1:]
			return strings.HasPrefix(at, "/var/lib/dpkg/") || at == "/var/log/dpkg.log"
		})
	}
	out, err := within(root, "dpkg -i /root/tokenform.deb\n"+useInstalled).CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") || !strings.Contains(string(out), "tokenform "+releaseTag) || !strings.Contains(string(out), "logged in, valid for") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("installed and used:\n%s", out)
	var added []string
	for _, change := range bookkeeping(changes(before, tree(t, root))) {
		if info, err := os.Lstat(filepath.Join(root, change[1:])); change[0] != '+' || err != nil {
			t.Errorf("the installation: %s", change)
		} else if !info.IsDir() {
			added = append(added, change[1:])
		}
	}
	if want := r.installs("deb"); !slices.Equal(added, want) {
		t.Errorf("installed are %q\nwant %q", added, want)
	}
	for line, want := range map[string]string{"tokenform valid": "tokenform validate ", "tokenform help exit-c": "tokenform help exit-codes ", "tokenf": "tokenform "} {
		if shown := tab(t, root, line, want); !strings.Contains(shown, want) {
			t.Errorf("bash: Tab after %q shows %q, want %q", line, shown, want)
		}
	}
	out, err = within(root, "dpkg --purge tokenform\ndpkg --audit").CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("removed:\n%s", out)
	if left := bookkeeping(changes(before, tree(t, root))); len(left) > 0 {
		t.Errorf("the removal leaves %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "var/lib/dpkg/info/tokenform*")); len(left) > 0 {
		t.Errorf("the removal leaves %q", left)
	}
}

// tab types line and Tab into a bash in root, and returns what its terminal shows until that
// has want. The shell has Debian's bash-completion, and nothing that knows tokenform.
func tab(t *testing.T, root, line, want string) string {
	t.Helper()
	shell := within(root, "script -qec 'bash --noprofile --rcfile /root/bashrc -i' /dev/null")
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stderr = shell.Stdout
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(time.Minute, func() { _ = shell.Process.Kill() })
	defer giveUp.Stop()
	var shown strings.Builder
	until := func(part string) {
		b := make([]byte, 1024)
		for !strings.Contains(shown.String(), part) {
			n, err := out.Read(b)
			shown.Write(b[:n])
			if err != nil {
				return
			}
		}
	}
	until("READY-")
	if !strings.Contains(shown.String(), "no completion specification") {
		t.Errorf("bash knows tokenform before Tab: %q", shown.String())
	}
	shown.Reset()
	_, _ = io.WriteString(in, line+"\t")
	until(want)
	_, _ = io.WriteString(in, "\x03exit\n")
	_ = in.Close()
	_, _ = io.Copy(io.Discard, out)
	_ = shell.Wait()
	return shown.String()
}

// rpm installs the package in an empty root, which has the folders that Fedora's package
// "filesystem" has, and removes it.
func (r *released) rpm(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"bin", "share/bash-completion/completions", "share/doc", "share/fish/vendor_completions.d", "share/man/man1", "share/man/man7", "share/zsh/site-functions"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, root)
	file := filepath.Join(r.dist, r.name(platforms[0], "rpm"))
	tool := []string{"--root", root, "--dbpath", "/rpm", "--force-debian"} // the last is Debian's own option
	command(t, "", "rpm", append(tool, "--install", "--nodeps", file)...)
	command(t, "", "rpm", append(tool, "--verify", "--nodeps", "tokenform")...)
	if said := command(t, "", "chroot", root, "/usr/bin/tokenform", "version"); !strings.HasPrefix(said, "tokenform "+releaseTag) {
		t.Errorf("the program says %q", said)
	}
	command(t, "", "rpm", append(tool, "--erase", "tokenform")...)
	if err := os.RemoveAll(filepath.Join(root, "rpm")); err != nil {
		t.Fatal(err)
	}
	if left := changes(before, tree(t, root)); len(left) > 0 {
		t.Errorf("the removal leaves %q", left)
	}
}

// manifests fills the templates for Homebrew and Scoop, and checks that they name the
// release's archives. Ruby evaluates the formula, and installs two of the archives with it.
func (r *released) manifests(t *testing.T, repository string) {
	const downloads = "https://example.com/me/tokenform/releases/download/" + releaseTag
	command(t, repository, "go", "run", "./examples/release/manifests", "https://example.com/me/tokenform", downloads+"/")
	sum := func(p platform) string { return fmt.Sprintf("%x", sha256.Sum256(r.read(t, r.archive(p)))) }

	var scoop struct {
		Comment      string `json:"##"`
		Version      string `json:"version"`
		Description  string `json:"description"`
		Homepage     string `json:"homepage"`
		License      string `json:"license"`
		Architecture map[string]struct {
			URL  string `json:"url"`
			Hash string `json:"hash"`
		} `json:"architecture"`
		Bin string `json:"bin"`
	}
	fields := json.NewDecoder(bytes.NewReader(r.read(t, "tokenform.json")))
	fields.DisallowUnknownFields()
	if err := fields.Decode(&scoop); err != nil {
		t.Fatal(err)
	}
	if scoop.Version != releaseVersion || scoop.Homepage != "https://example.com/me/tokenform" || len(scoop.Architecture) != 2 {
		t.Errorf("%+v", scoop)
	}
	for name, p := range map[string]platform{"64bit": {"windows", "amd64"}, "arm64": {"windows", "arm64"}} {
		if of := scoop.Architecture[name]; of.URL != downloads+"/"+r.archive(p) || of.Hash != sum(p) {
			t.Errorf("scoop: %s: %+v", name, of)
		} else if files := unpack(t, r.archive(p), r.read(t, r.archive(p))); files[scoop.Bin].data == nil {
			t.Errorf("scoop: %s has no %s", r.archive(p), scoop.Bin)
		}
	}

	formula, evaluator := filepath.Join(r.dist, "tokenform.rb"), must(filepath.Abs("testdata/release/formula.rb"))
	if said := command(t, "", "ruby", "-wc", formula); said != "Syntax OK\n" {
		t.Errorf("ruby: %s", said)
	}
	for cpu, p := range map[[2]string]platform{
		{"macos", "arm"}: {"darwin", "arm64"}, {"macos", "intel"}: {"darwin", "amd64"},
		{"linux", "arm"}: {"linux", "arm64"}, {"linux", "intel"}: {"linux", "amd64"},
	} {
		if said := command(t, "", "ruby", evaluator, formula, cpu[0], cpu[1]); said != downloads+"/"+r.archive(p)+"\n"+sum(p)+"\n" {
			t.Errorf("the formula for %v says %s", cpu, said)
		}
	}
	unpacked, prefix := t.TempDir(), t.TempDir()
	command(t, unpacked, "tar", "-xzf", filepath.Join(r.dist, r.archive(platforms[0])))
	command(t, unpacked, "ruby", evaluator, formula, "linux", "intel", prefix)
	want := []string{"bin/tokenform", "etc/bash_completion.d/tokenform", "share/fish/vendor_completions.d/tokenform.fish", "share/zsh/site-functions/_tokenform"}
	for _, page := range r.pages {
		want = append(want, path.Join("share/man/man"+page[len(page)-1:], page+".gz"))
	}
	slices.Sort(want)
	var got []string
	for at, mode := range tree(t, prefix) {
		if !strings.HasPrefix(mode, "d") {
			got = append(got, strings.TrimPrefix(at, "/"))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the formula installs %q\nwant %q", got, want)
	}
	for _, name := range []string{"tokenform.rb", "tokenform.json"} {
		if err := os.Remove(filepath.Join(r.dist, name)); err != nil {
			t.Error(err)
		}
	}
}
