package keeper

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test program a stand-in for vault, if VAULT_DIR says where.
func TestMain(m *testing.M) {
	// A process with the race detector sleeps for a second at its end, and the stand-ins are
	// this program, run hundreds of times.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	if dir := os.Getenv("VAULT_DIR"); dir != "" {
		if err := vault(dir, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// vaultSecret is a path of a KV engine, with its newest version only.
type vaultSecret struct {
	Version     int
	Data        map[string]string
	Deletion    time.Time // zero means never
	MaxVersions int
	DeleteAfter time.Duration
}

func (s *vaultSecret) deleted() bool {
	return s.Data == nil || !s.Deletion.IsZero() && s.Deletion.Before(time.Now())
}

// vault does what the program vault does with a KV engine of version 2 at tokenform, for
// the commands that the example uses (hashicorp/vault: command/kv_*.go; vault-plugin-secrets-kv:
// path_data.go).
func vault(dir string, args []string) error {
	if b, err := os.ReadFile(filepath.Join(dir, "says")); err == nil { // instead of an answer
		return errors.New(string(b))
	}
	for _, arg := range args {
		if strings.Contains(arg, "refresh_token") {
			return errors.New("a login in the arguments")
		}
	}
	command := strings.Join(args[:2], " ")
	args = args[2:]
	if command == "kv metadata" {
		command, args = command+" "+args[0], args[1:]
	}
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	mount, format := flags.String("mount", "", ""), flags.String("format", "table", "")
	cas := flags.Int("cas", -1, "")
	maxVersions, deleteAfter := flags.Int("max-versions", 0, ""), flags.Duration("delete-version-after", -1, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *mount != "tokenform" {
		return errors.New("Error making API request.\n\nCode: 403. Errors:\n\n* permission denied")
	}
	path := flags.Arg(0)
	f, err := os.OpenFile(filepath.Join(dir, "kv.json"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	all := map[string]*vaultSecret{}
	if err := json.NewDecoder(f).Decode(&all); err != nil && err != io.EOF {
		return err
	}
	save := func() error {
		b, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		_, err = f.WriteAt(b, 0)
		return err
	}
	answer := func(v any) error {
		if *format == "json" {
			return json.NewEncoder(os.Stdout).Encode(v)
		}
		_, err := fmt.Println("====== Metadata ======")
		return err
	}
	s := all[path]
	metadata := func() map[string]any {
		m := map[string]any{"version": s.Version, "created_time": "2026-01-01T00:00:00.123456789Z", "deletion_time": ""}
		if !s.Deletion.IsZero() {
			m["deletion_time"] = s.Deletion.UTC().Format(time.RFC3339Nano)
		}
		return m
	}
	switch command {
	case "kv get":
		if s == nil || s.Version == 0 {
			return errors.New("No value found at tokenform/data/" + path)
		}
		if s.deleted() {
			return answer(map[string]any{"data": map[string]any{"data": nil, "metadata": metadata()}})
		}
		return answer(map[string]any{"data": map[string]any{"data": s.Data, "metadata": metadata()}})
	case "kv put":
		if s == nil {
			s = &vaultSecret{}
			all[path] = s
		}
		if *cas != s.Version {
			return errors.New("Error writing data to tokenform/data/" + path + ": Error making API request.\n\nCode: 400. Errors:\n\n* check-and-set parameter did not match the current version")
		}
		s.Data, s.Deletion = map[string]string{}, time.Time{}
		s.Version++
		if s.DeleteAfter > 0 {
			s.Deletion = time.Now().Add(s.DeleteAfter)
		}
		for _, arg := range flags.Args()[1:] {
			name, value, ok := strings.Cut(arg, "=")
			if !ok || strings.HasPrefix(value, "@") {
				return errors.New("Failed to parse K=V data")
			}
			if value == "-" {
				b, err := io.ReadAll(os.Stdin)
				if err != nil {
					return err
				}
				value = string(b)
			}
			s.Data[name] = value
		}
		if err := save(); err != nil {
			return err
		}
		if lost := filepath.Join(dir, "lost"); os.Remove(lost) == nil { // the answer is, and the CLI tries again
			return errors.New("Error making API request.\n\nCode: 400. Errors:\n\n* check-and-set parameter did not match the current version")
		}
		return answer(map[string]any{"data": metadata()})
	case "kv metadata put":
		if s == nil {
			s = &vaultSecret{}
			all[path] = s
		}
		s.MaxVersions = *maxVersions
		if *deleteAfter >= 0 {
			s.DeleteAfter = *deleteAfter
		}
		return save()
	case "kv list":
		var names []string
		for name := range all {
			if rest, ok := strings.CutPrefix(name, path+"/"); ok {
				names = append(names, rest)
			}
		}
		if names == nil {
			fmt.Println("{}")
			return errors.New("No value found at tokenform/metadata/" + path)
		}
		slices.Sort(names)
		return json.NewEncoder(os.Stdout).Encode(names)
	}
	return fmt.Errorf("unknown command: %s", command)
}

// cluster does what the API server of Kubernetes does with Secrets and Leases: every
// change has a new resourceVersion, and a change that names another one is a conflict.
type cluster struct {
	mu       sync.Mutex
	version  int
	objects  map[string]map[string]any // by path
	lose     bool                      // the next answer to a change
	refuse   int                       // the status of every answer; 0 means none
	deletion string                    // the body of the last deletion
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fail := func(code int, reason string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": "as the test wants it"})
	}
	if c.refuse != 0 {
		fail(c.refuse, map[int]string{403: "Forbidden", 429: "TooManyRequests", 503: "ServiceUnavailable"}[c.refuse])
		return
	}
	path := r.URL.Path
	if path == "/openapi/v2" { // kubectl 1.20 asks, and is content with an empty message of protobuf
		return
	}
	kinds := []string{"/api/v1/namespaces/default/secrets", "/apis/coordination.k8s.io/v1/namespaces/default/leases"}
	if !slices.ContainsFunc(kinds, func(k string) bool { return path == k || strings.HasPrefix(path, k+"/") }) {
		fail(404, "NotFound")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(400, "BadRequest")
		return
	}
	var given struct {
		Kind     string
		Metadata struct{ Name, GenerateName, ResourceVersion string }
		Data     map[string]string
		Spec     struct {
			HolderIdentity       string
			LeaseDurationSeconds int
			RenewTime            string
		}
		Preconditions struct{ UID, ResourceVersion string }
	}
	var object map[string]any
	if r.Method != http.MethodGet {
		if json.Unmarshal(body, &given) != nil || json.Unmarshal(body, &object) != nil {
			fail(400, "BadRequest")
			return
		}
		for _, text := range given.Data {
			if _, err := base64.StdEncoding.DecodeString(text); err != nil {
				fail(422, "Invalid")
				return
			}
		}
		if given.Spec.RenewTime != "" {
			if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", given.Spec.RenewTime); err != nil || given.Spec.LeaseDurationSeconds <= 0 || given.Spec.HolderIdentity == "" {
				fail(422, "Invalid")
				return
			}
		}
	}
	now := c.objects[path]
	field := func(name string) string { s, _ := now["metadata"].(map[string]any)[name].(string); return s }
	answer := func(v any) {
		if r.Method != http.MethodGet && c.lose {
			c.lose = false
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode(v)
	}
	put := func(path string) {
		metadata := object["metadata"].(map[string]any)
		if metadata["name"] == nil {
			metadata["name"] = given.Metadata.GenerateName + "abcde"
		}
		metadata["uid"], metadata["creationTimestamp"] = fmt.Sprint("uid-", c.version), time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
		if now != nil {
			metadata["uid"], metadata["creationTimestamp"] = field("uid"), field("creationTimestamp")
		}
		if r.URL.Query().Get("dryRun") != "All" {
			c.version++
			metadata["resourceVersion"] = strconv.Itoa(c.version)
			c.objects[path] = object
		}
		answer(object)
	}
	switch {
	case r.Method == http.MethodGet && slices.Contains(kinds, path):
		items := []any{}
		for at, o := range c.objects {
			if labels, _ := o["metadata"].(map[string]any)["labels"].(map[string]any); strings.HasPrefix(at, path+"/") && r.URL.Query().Get("labelSelector") == "app.kubernetes.io/managed-by=tokenform" && labels["app.kubernetes.io/managed-by"] == "tokenform" {
				items = append(items, o)
			}
		}
		answer(map[string]any{"kind": "List", "items": items})
	case r.Method == http.MethodGet && now != nil:
		answer(now)
	case r.Method == http.MethodPost && slices.Contains(kinds, path):
		at := path + "/" + given.Metadata.Name
		switch {
		case given.Metadata.ResourceVersion != "":
			fail(400, "BadRequest")
		case strings.Trim(given.Metadata.Name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || len(given.Metadata.Name) > 253:
			fail(422, "Invalid")
		case c.objects[at] != nil:
			fail(409, "AlreadyExists")
		default:
			put(at)
		}
	case now == nil:
		fail(404, "NotFound")
	case r.Method == http.MethodPut && given.Metadata.ResourceVersion != field("resourceVersion"):
		fail(409, "Conflict")
	case r.Method == http.MethodPut:
		put(path)
	case r.Method == http.MethodDelete:
		c.deletion = string(body)
		switch p := given.Preconditions; {
		case p.UID == "" || p.ResourceVersion == "":
			fail(400, "BadRequest")
		case p.UID != field("uid") || p.ResourceVersion != field("resourceVersion"):
			fail(409, "Conflict")
		default:
			delete(c.objects, path)
			answer(map[string]any{"kind": "Status", "status": "Success"})
		}
	default:
		fail(405, "MethodNotAllowed")
	}
}

// startCluster starts a cluster and returns the configuration file of kubectl for it.
func startCluster(t *testing.T) (c *cluster, server *httptest.Server, file string) {
	t.Helper()
	c = &cluster{objects: map[string]map[string]any{}}
	server = httptest.NewServer(c)
	t.Cleanup(server.Close)
	file = filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": [{"name": "c", "cluster": {"server": %q}}], "users": [{"name": "u", "user": {"token": "t"}}],
		"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, server, file
}
