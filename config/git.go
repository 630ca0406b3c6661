package config

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tokenform/config/paths"
)

// gitQuery asks git one question about many files, with one process for each work
// tree. The answer is no if git is not installed, if a file is in no work tree, or
// if git fails.
type gitQuery struct {
	paths map[string][]gitPath // by the work tree's root
	real  paths.Cache
	roots map[string]string // the work tree of each directory; empty if it is in none
	found map[string]bool   // the answers, by the path as added
}

type gitPath struct{ asked, relative string }

func (q *gitQuery) add(path string) {
	if q.found == nil {
		*q = gitQuery{map[string][]gitPath{}, paths.Cache{}, map[string]string{}, map[string]bool{}}
	}
	if _, ok := q.found[path]; ok {
		return
	}
	q.found[path] = false
	// git refuses a path that leads through a symbolic link.
	dir := q.real.Directory(filepath.Dir(path))
	root := q.root(dir)
	if root == "" {
		return
	}
	relative, err := filepath.Rel(root, filepath.Join(dir, filepath.Base(path)))
	if err == nil {
		q.paths[root] = append(q.paths[root], gitPath{path, filepath.ToSlash(relative)})
	}
}

// root returns the work tree that dir is in: the nearest directory upwards that has
// a .git, which is a directory or, in a linked work tree, a file. root saves a
// process for every directory that is in no work tree.
func (q *gitQuery) root(dir string) string {
	if root, ok := q.roots[dir]; ok {
		return root
	}
	root := ""
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		root = dir
	} else if parent := filepath.Dir(dir); parent != dir {
		root = q.root(parent)
	}
	q.roots[dir] = root
	return root
}

// run asks about all paths that were added. ask returns the paths for which the
// answer is yes.
func (q *gitQuery) run(ctx context.Context, ask func(ctx context.Context, root string, paths []string) (map[string]bool, error)) {
	for root, paths := range q.paths {
		relative := make([]string, len(paths))
		for i, p := range paths {
			relative[i] = p.relative
		}
		answer, err := ask(ctx, root, relative)
		if err != nil {
			continue
		}
		for _, p := range paths {
			q.found[p.asked] = answer[p.relative]
		}
	}
}

// gitTracked returns the files that git has in its index.
func gitTracked(ctx context.Context, root string, paths []string) (map[string]bool, error) {
	tracked := map[string]bool{}
	for chunk := range slices.Chunk(paths, 500) { // the length of a command line is limited
		out, err := git(ctx, root, nil, append([]string{"--literal-pathspecs", "ls-files", "-z", "--"}, chunk...)...)
		if err != nil {
			return nil, err
		}
		for path := range strings.SplitSeq(out, "\x00") {
			tracked[path] = true
		}
	}
	return tracked, nil
}

// gitUnignored returns the files that git would add or has added. A tracked file
// is not ignored, even if a pattern in .gitignore fits.
func gitUnignored(ctx context.Context, root string, paths []string) (map[string]bool, error) {
	out, err := git(ctx, root, paths, "check-ignore", "-z", "--stdin")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil // the exit code says that no path is ignored
	}
	if err != nil {
		return nil, err
	}
	unignored := map[string]bool{}
	for _, path := range paths {
		unignored[path] = true
	}
	for path := range strings.SplitSeq(out, "\x00") {
		delete(unignored, path)
	}
	return unignored, nil
}

// git runs git in a work tree. In a git hook, variables such as GIT_DIR point at the
// hook's repository, which may be another one, so the variables are not passed on.
func git(ctx context.Context, root string, input []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// The repository may belong to somebody else: no program named in its configuration
	// may run.
	args = append([]string{"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "--no-pager", "--no-optional-locks"}, args...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = root
	cmd.WaitDelay = time.Second
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "GIT_DIR" || name == "GIT_WORK_TREE" || name == "GIT_INDEX_FILE"
	})
	cmd.Stdin = strings.NewReader(strings.Join(input, "\x00"))
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	return out.String(), err
}

// InGit reports whether dir is in a work tree of git.
func InGit(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	q := gitQuery{roots: map[string]string{}}
	return q.root(dir) != ""
}
