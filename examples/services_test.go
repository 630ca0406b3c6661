//go:build linux

package examples

import (
	"encoding/xml"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"tokenform/flow/sandbox"
)

// TestServiceNotifies runs watch as systemd runs examples/services/tokenform.service: with
// credentials, directories of its own, a socket for sd_notify(3) and a watchdog.
func TestServiceNotifies(t *testing.T) {
	t.Parallel()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "login.yaml"), "profile: service\nclient: {id: app, secret: app-secret}\nredirect_uri: http://127.0.0.1/callback\n")
	login := exec.Command(program, "token", "--format", "seed", "--login", "browser", "login.yaml")
	login.Dir, login.Env = dir, surroundings(dir, url, "BROWSER="+robot(t))
	seed, err := login.Output()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.ReadFile("services/tokenform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc", "credentials", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "etc", "tokenform.yaml"), string(profile))
	write(t, filepath.Join(dir, "credentials", "client-secret"), "app-secret\n")
	write(t, filepath.Join(dir, "credentials", "refresh-token"), string(seed))
	short, err := os.MkdirTemp("", "") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	for name, socket := range map[string]string{"path": filepath.Join(short, "n"), "abstract": "@tokenform-test-" + filepath.Base(short)} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		watch := exec.Command(program, "watch", "--login", "never", "--state", "state", "etc/tokenform.yaml")
		watch.Dir, watch.Env = dir, surroundings(dir, url, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000", "SPOTIFY_CLIENT_ID=app",
			"CREDENTIALS_DIRECTORY="+filepath.Join(dir, "credentials"), "RUNTIME_DIRECTORY="+filepath.Join(dir, "run"))
		if err := watch.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = watch.Process.Kill() }()
		var said string
		hear := func(want string) {
			t.Helper()
			b := make([]byte, 4096)
			for deadline := time.Now().Add(20 * time.Second); !strings.Contains(said, want); {
				_ = manager.SetReadDeadline(deadline)
				n, err := manager.Read(b)
				if err != nil {
					t.Fatalf("%s: %v; no %s in %q", name, err, want, said)
				}
				said += string(b[:n]) + "\n"
			}
		}
		hear("READY=1\nSTATUS=1 profile; next action at ")
		if b, err := os.ReadFile(filepath.Join(dir, "run", "spotify.env")); err != nil || !strings.Contains(string(b), "SPOTIFY_ACCESS_TOKEN=BQ") {
			t.Errorf("%s: ready without a token: %v", name, err)
		}
		hear("WATCHDOG=1")
		if err := watch.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		hear("RELOADING=1")
		said = ""
		hear("READY=1")
		if err := watch.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		hear("STOPPING=1")
		_ = watch.Wait()
	}
}

// TestServiceUnits lets systemd check the units: they are right, and little of the machine
// is exposed to the service.
func TestServiceUnits(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("TOKENFORM_TEST_SYSTEMD") == "require" {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"tokenform.service", "tokenform-apply.service", "tokenform-apply.timer"} {
		b, err := os.ReadFile(filepath.Join("services", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), strings.ReplaceAll(string(b), "/usr/local/bin/tokenform", program))
	}
	for _, args := range [][]string{
		{"verify", "--man=no", "tokenform.service", "tokenform-apply.service", "tokenform-apply.timer"},
		{"security", "--offline=true", "--threshold=20", "--no-pager", "tokenform.service"},
	} {
		cmd := exec.Command("systemd-analyze", args...)
		cmd.Dir = dir
		for i, a := range cmd.Args {
			if strings.HasPrefix(a, "tokenform") {
				cmd.Args[i] = filepath.Join(dir, a)
			}
		}
		out, err := cmd.CombinedOutput()
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "tokenform") {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestServiceCronJob checks the fields of the CronJob on which its safety depends, against a
// misspelt name too: the decoder knows no others.
func TestServiceCronJob(t *testing.T) {
	t.Parallel()
	f, err := os.Open("services/cronjob.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type named struct{ Name string }
	var job struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   named
		Spec       struct {
			Schedule                   string
			ConcurrencyPolicy          string `yaml:"concurrencyPolicy"`
			SuccessfulJobsHistoryLimit int    `yaml:"successfulJobsHistoryLimit"`
			FailedJobsHistoryLimit     int    `yaml:"failedJobsHistoryLimit"`
			JobTemplate                struct {
				Spec struct {
					BackoffLimit          int `yaml:"backoffLimit"`
					ActiveDeadlineSeconds int `yaml:"activeDeadlineSeconds"`
					Template              struct {
						Spec struct {
							RestartPolicy                string `yaml:"restartPolicy"`
							AutomountServiceAccountToken bool   `yaml:"automountServiceAccountToken"`
							SecurityContext              struct {
								RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
								RunAsUser      int                   `yaml:"runAsUser"`
								FSGroup        int                   `yaml:"fsGroup"`
								SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
							} `yaml:"securityContext"`
							Containers []struct {
								Name, Image     string
								Args            []string
								Env             []any
								SecurityContext struct {
									AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
									ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
									Capabilities             struct{ Drop []string }
								} `yaml:"securityContext"`
								VolumeMounts []struct {
									Name      string
									MountPath string `yaml:"mountPath"`
									ReadOnly  bool   `yaml:"readOnly"`
								} `yaml:"volumeMounts"`
							}
							Volumes []map[string]any
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	if err := decoder.Decode(&job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	if job.APIVersion != "batch/v1" || job.Kind != "CronJob" || job.Spec.ConcurrencyPolicy != "Forbid" || pod.RestartPolicy != "Never" || !pod.SecurityContext.RunAsNonRoot || len(pod.Containers) != 1 {
		t.Fatalf("%+v", job)
	}
	c := pod.Containers[0]
	if escalates := c.SecurityContext.AllowPrivilegeEscalation; escalates == nil || *escalates || !c.SecurityContext.ReadOnlyRootFilesystem || strings.Join(c.SecurityContext.Capabilities.Drop, "") != "ALL" {
		t.Errorf("%+v", c.SecurityContext)
	}
	mounted := map[string]bool{}
	for _, v := range pod.Volumes {
		name, _ := v["name"].(string)
		mounted[name] = true
	}
	for _, m := range c.VolumeMounts {
		if !mounted[m.Name] {
			t.Errorf("no volume %s", m.Name)
		}
	}
}

// TestServiceCronJobIsValid decodes the CronJob as an API server does that checks it
// strictly, and wrong ones, which the decoder must refuse.
func TestServiceCronJobIsValid(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("services/cronjob.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"", "", ""},
		{"concurrencyPolicy:", "concurencyPolicy:", `unknown field "spec.concurencyPolicy"`},
		{"secretKeyRef:", "secretRef:", `unknown field "spec.jobTemplate.spec.template.spec.containers[0].env[0].valueFrom.secretRef"`},
		{"schedule:", "Schedule:", `unknown field "spec.Schedule"`},
		{"backoffLimit: 1", "backoffLimit: one", "cannot unmarshal string into Go struct field"},
		{"runAsUser: 65532", "runAsUser: 65532\n            runAsUser: 0", `key "runAsUser" already set`},
	} {
		if !strings.Contains(string(b), c.old) {
			t.Fatalf("no %s", c.old)
		}
		cmd := exec.Command(installed(t, "CACHE/cronjob"))
		cmd.Stdin = strings.NewReader(strings.Replace(string(b), c.old, c.new, 1))
		out, err := cmd.CombinedOutput()
		if (err != nil) != (c.says != "") || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: %v, want %q in\n%s", c.new, err, c.says, out)
		}
	}
}

// TestServiceMetrics lets Prometheus' promtool check the metrics of a token that is good
// and of a profile that needs a person; and wrong metrics, which promtool must refuse.
func TestServiceMetrics(t *testing.T) {
	t.Parallel()
	_, url := spotify(t, sandbox.Options{AnyApp: true})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokenform.yaml"), "profile: good\nclient: {id: app, secret: app-secret}\ngrant: client_credentials\noutputs: [{type: env, path: .env}]\n---\nprofile: new\nclient: {id: app}\n")
	env := surroundings(dir, url)
	if code, _, stderr := run(t, dir, env, "apply", "-p", "good"); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	_, metrics, stderr := run(t, dir, env, "status", "--format", "prometheus")
	if !strings.Contains(metrics, `tokenform_login_needed{profile="new"} 1`) || !strings.Contains(metrics, `tokenform_access_token_expiry_timestamp_seconds{profile="good"} 1`) {
		t.Fatalf("%s\n%s", metrics, stderr)
	}
	for _, c := range []struct{ old, new, says string }{
		{"", "", ""},
		{"# HELP tokenform_login_needed Whether", "# Whether", "no help text"},
		{"tokenform_outputs_stale", "tokenform_outputs_stale_total", "non-counter metrics should not have"},
		{`{profile="new"} 1`, `{profile="new} 1`, "error while linting"},
	} {
		if !strings.Contains(metrics, c.old) {
			t.Fatalf("no %s", c.old)
		}
		promtool := exec.Command(installed(t, "CACHE/promtool"), "check", "metrics")
		promtool.Stdin = strings.NewReader(strings.ReplaceAll(metrics, c.old, c.new))
		out, err := promtool.CombinedOutput()
		if (err != nil) != (c.says != "") || !strings.Contains(string(out), c.says) || c.says == "" && len(out) > 0 {
			t.Errorf("%s: %v, want %q in\n%s", c.new, err, c.says, out)
		}
	}
}

// TestServiceFiles checks that the files for macOS and Windows are what their systems
// parse.
func TestServiceFiles(t *testing.T) {
	t.Parallel()
	f, err := os.Open("services/scheduled-task.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var task struct {
		XMLName  xml.Name                            `xml:"http://schemas.microsoft.com/windows/2004/02/mit/task Task"`
		Interval string                              `xml:"Triggers>TimeTrigger>Repetition>Interval"`
		Exec     struct{ Command, Arguments string } `xml:"Actions>Exec"`
	}
	if err := xml.NewDecoder(f).Decode(&task); err != nil || task.Interval != "PT20M" || !strings.HasSuffix(task.Exec.Command, `\tokenform.exe`) || !strings.HasPrefix(task.Exec.Arguments, "apply --login never") {
		t.Errorf("%v: %+v", err, task)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3, which reads property lists, is not installed")
	}
	cmd := exec.Command(python, "-c", "import plistlib, sys; print(' '.join(plistlib.load(sys.stdin.buffer)['ProgramArguments']))")
	plist, err := os.Open("services/com.example.tokenform.plist")
	if err != nil {
		t.Fatal(err)
	}
	defer plist.Close()
	cmd.Stdin = io.Reader(plist)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "/usr/local/bin/tokenform watch --login never\n" {
		t.Errorf("%v: %s", err, out)
	}
}
