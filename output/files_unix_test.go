//go:build unix

package output

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"tokenform/config"
	"tokenform/config/fault"
)

func TestPipeIsRefused(t *testing.T) {
	t.Parallel()
	d := newDisk(t, jsonFile("fifo"), env("fifo.env", "access_token=T"))
	for _, o := range d.p.Outputs {
		if err := syscall.Mkfifo(o.Path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const want = "fifo: is a named pipe\nfifo.env: is a named pipe"
	if _, err := d.files.Stale(d.p, someToken(), d.recorded, false); err == nil || err.Error() != want {
		t.Errorf("plan: %v", err)
	}
	if _, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded); err == nil || err.Error() != want {
		t.Errorf("apply: %v", err)
	}
}

func TestFullOutput(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	d := newDisk(t, config.Output{Type: "stdout", Format: "token"})
	d.files.Out = full
	made, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded)
	if err == nil || err.Error() != "standard output: no space left on device" || fault.KindOf(err) != fault.Failed {
		t.Errorf("%v", err)
	}
	d.says(made)
}

// TestE4PlantedLink checks that a link which another user has put into a directory such
// as /tmp is not followed, as fs.protected_symlinks of Linux does not follow it.
func TestE4PlantedLink(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	d := newDisk(t, env("shared/.env", "access_token=T"))
	d.write("victim", "A=1\n", 0o644)
	shared, link := d.path("shared"), d.path("shared/.env")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky), os.Symlink(d.path("victim"), link)); err != nil {
		t.Fatal(err)
	}
	d.mustPlant(link, 65534)
	const want = "shared/.env: is a link that another user has put into a directory of everybody"
	if _, err := d.files.Stale(d.p, someToken(), d.recorded, false); err == nil || err.Error() != want {
		t.Errorf("plan: %v", err)
	}
	if _, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded); err == nil || err.Error() != want {
		t.Errorf("apply: %v", err)
	}
	d.holds("victim", "A=1\n")
	d.mustPlant(link, 0) // a link of our own is followed
	d.apply(someToken())
	d.holds("victim", "A=1\nT="+someToken().Access+"\n")
}

// TestE4PlantedOnTheWay checks every directory and every link that a path leads through:
// others can plant a link anywhere below a directory such as /tmp.
func TestE4PlantedOnTheWay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	const nobody = 65534
	for name, c := range map[string]struct {
		output string
		links  map[string]string // links in d.dir, and where they lead
		owner  map[string]int    // of these links, if it is not this user
		dir    int               // the owner of shared
		refuse string            // the link that is refused; empty means none
	}{
		"a directory":                 {"shared/project/.env", map[string]string{"shared/project": "../private"}, map[string]int{"shared/project": nobody}, 0, "shared/project"},
		"a directory, for a new file": {"shared/project/new.env", map[string]string{"shared/project": "../private"}, map[string]int{"shared/project": nobody}, 0, "shared/project"},
		"a directory above":           {"shared/project/sub/new/.env", map[string]string{"shared/project": "../private"}, map[string]int{"shared/project": nobody}, 0, "shared/project"},
		"the second link":             {"own", map[string]string{"own": "shared/second", "shared/second": "../private/.env"}, map[string]int{"shared/second": nobody}, 0, "shared/second"},
		"a directory of a link":       {"own", map[string]string{"own": "shared/project/.env", "shared/project": "DIR/private"}, map[string]int{"shared/project": nobody}, 0, "shared/project"},
		"a dangling link":             {"shared/.env", map[string]string{"shared/.env": "../private/new"}, map[string]int{"shared/.env": nobody}, 0, "shared/.env"},
		"the directory's owner":       {"shared/project/.env", map[string]string{"shared/project": "../private"}, map[string]int{"shared/project": nobody}, nobody, ""},
		"root's, in another's":        {"shared/project/.env", map[string]string{"shared/project": "../private"}, nil, nobody, ""},
		"another's, in a private":     {"mine/.env", map[string]string{"mine": "private"}, map[string]int{"mine": nobody}, 0, ""},
		"a way back":                  {"shared/up/private/.env", map[string]string{"shared/up": ".."}, map[string]int{"shared/up": nobody}, 0, "shared/up"},
		"a loop":                      {"shared/loop/.env", map[string]string{"shared/loop": "loop"}, map[string]int{"shared/loop": nobody}, 0, "shared/loop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, env(c.output, "access_token=T"))
			shared := d.path("shared")
			if err := errors.Join(os.MkdirAll(d.path("private/sub"), 0o700), os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky), os.Chown(shared, c.dir, -1)); err != nil {
				t.Fatal(err)
			}
			d.write("private/.env", "A=1\n", 0o600)
			for link, to := range c.links {
				if err := os.Symlink(strings.ReplaceAll(to, "DIR", d.dir), d.path(link)); err != nil {
					t.Fatal(err)
				}
				d.mustPlant(d.path(link), c.owner[link])
			}
			if c.refuse == "" {
				d.apply(someToken())
				d.holds("private/.env", "A=1\nT="+someToken().Access+"\n")
				return
			}
			_, err := d.files.Stale(d.p, someToken(), d.recorded, false)
			_, err2 := d.files.Write(t.Context(), d.p, someToken(), d.recorded)
			for _, err := range []error{err, err2} {
				if err == nil {
					t.Error("no error")
				} else if name != "a loop" && (!strings.Contains(err.Error(), "a link that another user has put into a directory of everybody") || c.refuse != c.output && !strings.Contains(err.Error(), d.path(c.refuse)) || !strings.Contains(fault.HintOf(err), "remove the link")) {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
			}
			d.holds("private/.env", "A=1\n")
			d.lacks("private/new")
			d.lacks("private/new.env")
			d.lacks("private/sub/new")
		})
	}
}

// TestPlantedReport checks that a report, and the copy of a file that is replaced, do not
// follow a planted link either.
func TestPlantedReport(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	d := newDisk(t, jsonFile("shared/token.json"))
	shared := d.path("shared")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777|fs.ModeSticky), os.Symlink(d.path("victim"), d.path("shared/report")), os.Symlink(d.path("new"), d.path("shared/token.json.before"))); err != nil {
		t.Fatal(err)
	}
	d.mustPlant(d.path("shared/report"), 65534)
	d.mustPlant(d.path("shared/token.json.before"), 65534)
	d.write("victim", "# HELP tokenform_x\n", 0o644)
	if err := WriteReport(d.path("shared/report"), "metrics"); err == nil || !strings.Contains(err.Error(), "a link that another user has put") {
		t.Error(err)
	}
	d.holds("victim", "# HELP tokenform_x\n")
	const theirs = `{"access_token":"BQx","token_type":"Bearer","scope":"","expires_at":"2026-01-01T00:00:00Z","profile":"dev"}`
	d.write("shared/token.json", theirs, 0o600)
	if _, err := d.files.Write(t.Context(), d.p, someToken(), d.recorded); err == nil || !strings.Contains(err.Error(), "token.json.before") || !strings.Contains(fault.HintOf(err), "remove the link") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	d.lacks("new")
	d.holds("shared/token.json", theirs)
}

// mustPlant makes a link another user's.
func (d *disk) mustPlant(link string, owner int) {
	d.Helper()
	if err := os.Lchown(link, owner, owner); err != nil {
		d.Fatal(err)
	}
}
