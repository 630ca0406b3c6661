package examples

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"tokenform/flow/sandbox"
)

// loose is a directory on a real file system that keeps no permissions, such as a
// Windows drive under WSL, a USB stick, or some network shares: everybody can read and
// write every file, and chmod has no effect or fails.
type loose struct {
	fs.LoopbackNode
	refuses bool
}

// WrapChild implements [fs.NodeWrapChilder].
func (n *loose) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &loose{LoopbackNode: fs.LoopbackNode{RootData: n.RootData}, refuses: n.refuses}
}

func (n *loose) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child, errno := n.LoopbackNode.Lookup(ctx, name, out)
	out.Mode |= 0o777
	return child, errno
}

func (n *loose) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, file, more, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	out.Mode |= 0o777
	return child, file, more, errno
}

func (n *loose) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	out.Mode |= 0o777
	return child, errno
}

func (n *loose) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Getattr(ctx, f, out)
	out.Mode |= 0o777
	return errno
}

func (n *loose) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if in.Valid&fuse.FATTR_MODE != 0 && n.refuses {
		return syscall.EPERM
	}
	in.Valid &^= fuse.FATTR_MODE
	errno := n.LoopbackNode.Setattr(ctx, f, in, out)
	out.Mode |= 0o777
	return errno
}

// mountLoose mounts an empty loose until the test ends. Another process serves the file
// system: a process that waits for its own file system waits forever.
func mountLoose(t *testing.T, refuses bool) string {
	t.Helper()
	behind, dir := t.TempDir(), t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FUSE_BEHIND="+behind, "FUSE_DIR="+dir)
	if refuses {
		cmd.Env = append(cmd.Env, "FUSE_REFUSES=1")
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // ends the server
		_ = cmd.Wait()
	})
	if said, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || said != "mounted\n" {
		if os.Getenv("TOKENFORM_TEST_FUSE") == "require" {
			t.Fatalf("no FUSE here: %s", said)
		}
		t.Skipf("no FUSE here: %s", said)
	}
	return dir
}

// serveLoose mounts the file system and serves it until standard input ends.
func serveLoose() int {
	root := &fs.LoopbackRoot{Path: os.Getenv("FUSE_BEHIND")}
	node := &loose{LoopbackNode: fs.LoopbackNode{RootData: root}, refuses: os.Getenv("FUSE_REFUSES") != ""}
	root.RootNode = node
	server, err := fs.Mount(os.Getenv("FUSE_DIR"), node, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("mounted")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Unmount(); err != nil {
		return 1
	}
	return 0
}

// TestA1NoPermissions checks that tokenform works on a file system that keeps no
// permissions, and warns once.
func TestA1NoPermissions(t *testing.T) {
	t.Parallel()
	const (
		warned = "warning: tokenform.yaml:1:1: the file system of .tokenform does not support permissions: other users of this machine may read the tokens\nhint: use --state DIR to keep tokens on a file system with permissions\n"
		output = " contains a secret that other users can read: its file system does not support permissions"
	)
	profile := "profile: dev\nclient: {id: app, secret: hush-hush}\ngrant: client_credentials\noutputs:\n  - {type: env, path: .env, keys: {access_token: TOKEN}}\n  - {type: json, path: new/token.json}\n"
	for name, refuses := range map[string]bool{"chmod has no effect": false, "chmod is refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := spotify(t, sandbox.Options{AnyApp: true})
			dir := mountLoose(t, refuses)
			write(t, filepath.Join(dir, "tokenform.yaml"), profile)
			write(t, filepath.Join(dir, ".env"), "A=1\n")
			env := surroundings(dir, url)
			apply := func(args ...string) string {
				t.Helper()
				code, _, stderr := run(t, dir, env, args...)
				if code != 0 || strings.Contains(stderr, "error") || strings.Contains(stderr, "chmod 7") {
					t.Errorf("%s: exit %d\n%s", args, code, stderr)
				}
				return stderr
			}
			apply("plan") // plan gives no warning
			if got := apply("apply"); strings.Count(got, "does not support permissions: other users of this machine") != 1 || strings.Count(got, "new/token.json"+output) != 1 {
				t.Errorf("the first apply:\n%s", got)
			}
			for _, file := range []string{".env", "new/token.json"} {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(b), "BQ") || file == ".env" && !strings.HasPrefix(string(b), "A=1\n") {
					t.Errorf("%s: %q, %v", file, b, err)
				}
			}
			for _, command := range []string{"validate", "plan"} {
				if got := apply(command); strings.Count(got, "warning") != 1 || !strings.Contains(got, warned) {
					t.Errorf("%s:\n%s", command, got)
				}
			}
			if got := apply("apply"); !strings.Contains(got, "1 unchanged") {
				t.Errorf("the second apply:\n%s", got)
			}
			apply("destroy", "--yes")
			if _, err := os.Stat(filepath.Join(dir, "new", "token.json")); err == nil {
				t.Error("the output is still there")
			}

			// With --state, the state is elsewhere, but the outputs are still here.
			if got := apply("apply", "--state", filepath.Join(t.TempDir(), "state")); strings.Count(got, "new/token.json"+output) != 1 || strings.Contains(got, "the file system of") {
				t.Errorf("with --state:\n%s", got)
			}
		})
	}
}
