//go:build unix

package examples

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"

	"gopkg.in/yaml.v3"
)

// What the examples name, and whoever copies them replaces with what is theirs.
const (
	someReleases = "https://releases.example"
	someVersion  = "0.1.0"
)

var someChecksum = strings.Repeat("0123456789abcdef", 4)

// packed returns an archive of the built program, as goreleaser packs it.
func packed(name string) []byte {
	var b bytes.Buffer
	content, err := os.ReadFile(program)
	if err != nil {
		panic(err)
	}
	files := []struct {
		name string
		mode int64
		b    []byte
	}{{"README.md", 0o644, []byte("# tokenform\n")}, {"tokenform", 0o755, content}}
	if strings.HasSuffix(name, ".zip") {
		z := zip.NewWriter(&b)
		for _, f := range files {
			h := &zip.FileHeader{Name: strings.Replace(f.name, "tokenform", "tokenform.exe", 1), Method: zip.Deflate}
			h.SetMode(fs.FileMode(f.mode))
			w, err := z.CreateHeader(h)
			if err == nil {
				_, err = w.Write(f.b)
			}
			if err != nil {
				panic(err)
			}
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
		return b.Bytes()
	}
	g, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err)
	}
	t := tar.NewWriter(g)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.b))}); err != nil {
			panic(err)
		}
		if _, err := t.Write(f.b); err != nil {
			panic(err)
		}
	}
	for _, c := range []io.Closer{t, g} {
		if err := c.Close(); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// archives are the built program in both kinds, packed once for all tests.
var (
	tarball = sync.OnceValue(func() []byte { return packed("tar.gz") })
	zipball = sync.OnceValue(func() []byte { return packed(".zip") })
)

// archive returns the archive that a release has under name.
func archive(name string) []byte {
	if strings.HasSuffix(name, ".zip") {
		return zipball()
	}
	return tarball()
}

func checksum(name string) string { return fmt.Sprintf("%x", sha256.Sum256(archive(name))) }

// archiveNames returns the names that goreleaser gives the archives of a version.
func archiveNames(t *testing.T, version string) (names []string) {
	t.Helper()
	b, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		ProjectName string `yaml:"project_name"`
		Builds      []struct {
			Goos, Goarch, Goarm []string
			Ignore              []struct{ Goos, Goarch string }
		}
		Archives []struct {
			NameTemplate    string `yaml:"name_template"`
			Formats         []string
			FormatOverrides []struct {
				Goos    string
				Formats []string
			} `yaml:"format_overrides"`
		}
	}
	if err := yaml.Unmarshal(b, &release); err != nil || len(release.Builds) != 1 || len(release.Archives) != 1 {
		t.Fatal(err)
	}
	build, a := release.Builds[0], release.Archives[0]
	for _, goos := range build.Goos {
	next:
		for _, goarch := range build.Goarch {
			for _, i := range build.Ignore {
				if i.Goos == goos && i.Goarch == goarch {
					continue next
				}
			}
			data := map[string]string{"ProjectName": release.ProjectName, "Version": version, "Os": goos, "Arch": goarch, "Arm": ""}
			if goarch == "arm" {
				data["Arm"] = build.Goarm[0]
			}
			var name strings.Builder
			if err := template.Must(template.New("").Parse(a.NameTemplate)).Execute(&name, data); err != nil {
				t.Fatal(err)
			}
			format := a.Formats[0]
			for _, o := range a.FormatOverrides {
				if o.Goos == goos {
					format = o.Formats[0]
				}
			}
			names = append(names, name.String()+"."+format)
		}
	}
	return names
}

// releases starts a server with the archives of the version that the examples name, and
// puts its address and checksums into the examples of the checkout. From then on
// tokenform is not on the pipeline's PATH: the pipeline must install it.
func (p *pipeline) releases() *releases {
	p.Helper()
	if p.shop != nil {
		return p.shop
	}
	s := &releases{}
	p.shop = s
	names := archiveNames(p.T, someVersion)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		for _, name := range names {
			if r.URL.Path == path.Join("/v"+someVersion, name) {
				_, _ = w.Write(archive(name))
				return
			}
		}
		http.NotFound(w, r)
	}))
	p.Cleanup(server.Close)
	s.url = server.URL
	p.authority = filepath.Join(filepath.Dir(p.temp), "authority.pem")
	p.must(os.WriteFile(p.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644))
	p.must(os.Remove(filepath.Join(p.bin, "tokenform")))
	for _, file := range installing {
		p.edit(file, someReleases, s.url, someChecksum, checksum("tokenform.tar.gz"))
	}
	return s
}

// install runs the example that installs tokenform for one user.
func (p *pipeline) install() {
	p.Helper()
	p.releases()
	p.need("sh", "curl", "sha256sum", "tar", "mktemp")
	if code, _, stderr := p.run(p.checkout, p.environment(), "sh", "install"); code != 0 {
		p.Fatalf("exit %d\n%s", code, stderr)
	}
}

// installing are the examples that install tokenform themselves.
var installing = []string{"github-actions-shared.yaml", "gitlab-ci-shared.yml", actions, actionUse, writeback, "gitlab-ci.yml", "install"}

// releases is a server of releases.
type releases struct {
	url   string
	mu    sync.Mutex
	asked []string // paths
}

// downloads returns what has been asked for since the last call.
func (s *releases) downloads() (asked []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, nil
	return asked
}

// edit replaces texts in a file of the checkout, which must have them.
func (p *pipeline) edit(file string, oldnew ...string) {
	p.Helper()
	path := filepath.Join(p.checkout, file)
	b, err := os.ReadFile(path)
	p.must(err)
	text := string(b)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			p.Fatalf("%s does not have %q", file, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	p.must(os.Chmod(path, 0o644))
	p.must(os.WriteFile(path, []byte(text), 0o644))
	p.must(os.Chmod(path, 0o444))
}
