package keeper

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/oauth"
)

const (
	// A request goes to one member after the other until one answers. A member that
	// does not answer within etcdPatience is passed over; each round of all members
	// has twice the patience of the round before. Five rounds are longer than etcd
	// needs to elect a leader, which by default takes one to two seconds.
	etcdRounds   = 5
	etcdPatience = 2 * time.Second
	etcdNap      = 250 * time.Millisecond // before the second round; doubles
	etcdTime     = 20 * time.Second       // for all rounds

	etcdRevokeTime = 5 * time.Second
	etcdRenewals   = 15 // of a lease, three in each TTL: afterwards its holder hangs

	etcdMaxData   = 700 << 10 // in base64, and with what is around it, an answer is shorter than etcdMaxAnswer
	etcdMaxAnswer = 1 << 20   // where the HTTP client cuts an answer
	etcdPage      = 1000      // keys in one answer of Names: at most 450 KB

	// etcdLocks comes between the prefix and the key of a lock. No name of a profile
	// begins with a dot.
	etcdLocks = ".lock/"
)

// etcd keeps logins in etcd, through the JSON gateway that each member of a cluster has
// (etcd.io/docs/v3.6/dev-guide/api_grpc_gateway).
//
// A login is the key PREFIXkey, and its revision is the key's mod_revision. The lock is
// the key PREFIX.lock/key with an etcd lease, whose end deletes the key. A write is one
// transaction, which compares both.
type etcd struct {
	name           string
	members        []etcdMember
	prefix         string
	user, password string // empty means no authentication
	passwordFrom   string
	http           *http.Client
	now            func() time.Time
	nap            time.Duration // etcdNap

	mu    sync.Mutex
	first int                          // the member that has answered last
	token string                       // of user; empty means none yet
	alive map[int64]context.CancelFunc // the leases that are kept alive, and how to stop that
}

// etcdMember is a member of the cluster, or whatever stands before several members.
type etcdMember struct {
	url  string
	host string // for messages
}

func openEtcd(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	e := &etcd{name: s.String(), prefix: s.Prefix, user: s.Username, passwordFrom: s.Password.From(), now: o.Now, nap: etcdNap, alive: map[int64]context.CancelFunc{}}
	for _, endpoint := range s.Endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, &fault.Error{Kind: fault.Invalid, Message: "endpoints: not an http or https address", Hint: "write for example https://etcd-1:2379"}
		}
		e.members = append(e.members, etcdMember{strings.TrimRight(endpoint, "/"), u.Host})
	}
	if len(e.members) == 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "endpoints is empty", Hint: "write for example [https://etcd-1:2379]"}
	}
	password, err := s.Password.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	e.password = password
	config, err := etcdTLS(ctx, s)
	if err != nil {
		return nil, err
	}
	e.http = o.HTTP(config)
	return e, nil
}

// etcdTLS returns what TLS needs beyond the defaults, or nil.
func etcdTLS(ctx context.Context, s config.Store) (*tls.Config, error) {
	if s.CA == "" && s.Cert == "" {
		return nil, nil
	}
	pem := map[string][]byte{}
	for _, file := range []struct{ key, path string }{{"ca", s.CA}, {"cert", s.Cert}, {"key", s.Key}} {
		if file.path == "" {
			continue
		}
		b, err := config.ReadFile(ctx, file.path, 1<<20)
		if err != nil {
			return nil, cmp.Or(ctx.Err(), error(&fault.Error{Kind: fault.Invalid, Message: file.key + ": cannot read " + file.path, Err: fault.Cause(err), Hint: "create the file, or change its path in the profile"}))
		}
		pem[file.key] = b
	}
	c := &tls.Config{}
	if s.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem["ca"]) {
			return nil, &fault.Error{Kind: fault.Invalid, Message: "ca: no certificate in " + s.CA, Hint: "ca must be a file of certificates in PEM form"}
		}
	}
	if s.Cert != "" {
		pair, err := tls.X509KeyPair(pem["cert"], pem["key"])
		if err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Message: "cert and key cannot be used: " + strings.TrimPrefix(err.Error(), "tls: "), Hint: "both must be files in PEM form, of the same pair, and the key without a passphrase"}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (e *etcd) String() string { return e.name }

// These types are the parts that are used of etcd's messages (api/etcdserverpb/rpc.proto)
// in the JSON form of protobuf: bytes are base64, and 64-bit numbers are strings. Fields
// with a zero value are left out.
type (
	etcdKV struct {
		Key         []byte `json:"key"`
		Value       []byte `json:"value"`
		ModRevision int64  `json:"mod_revision,string"`
		Lease       int64  `json:"lease,string"`
	}
	etcdRange struct {
		Key      []byte `json:"key"`
		RangeEnd []byte `json:"range_end,omitempty"`
		Limit    int64  `json:"limit,omitempty,string"`
		KeysOnly bool   `json:"keys_only,omitempty"`
	}
	etcdRanged struct {
		KVs  []etcdKV `json:"kvs"`
		More bool     `json:"more"`
	}
	etcdPut struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
		Lease int64  `json:"lease,omitempty,string"`
	}
	etcdCompare struct {
		Key    []byte `json:"key"`
		Target string `json:"target"` // MOD or LEASE; a key that is not there has zero as both
		Mod    int64  `json:"mod_revision,omitempty,string"`
		Lease  int64  `json:"lease,omitempty,string"`
	}
	etcdOp struct {
		Put    *etcdPut   `json:"request_put,omitempty"`
		Range  *etcdRange `json:"request_range,omitempty"`
		Delete *etcdRange `json:"request_delete_range,omitempty"`
	}
	etcdTxn struct {
		Compare []etcdCompare `json:"compare"`
		Success []etcdOp      `json:"success"`
		Failure []etcdOp      `json:"failure"`
	}
	etcdTxnDone struct {
		Header struct {
			Revision int64 `json:"revision,string"`
		} `json:"header"`
		Succeeded bool `json:"succeeded"`
		Responses []struct {
			Range *etcdRanged `json:"response_range"`
		} `json:"responses"`
	}
	etcdLease struct {
		ID  int64 `json:"ID,string"`
		TTL int64 `json:"TTL,string"` // seconds; zero or less means that the lease has ended
	}
	etcdID struct {
		ID int64 `json:"ID,string"`
	}
)

// etcdHolder is the value of a lock.
type etcdHolder struct {
	Command string    `json:"command"`
	Who     string    `json:"who"`
	Since   time.Time `json:"since"`
}

func (e *etcd) key(key string) []byte     { return []byte(e.prefix + key) }
func (e *etcd) lockKey(key string) []byte { return []byte(e.prefix + etcdLocks + key) }

// Read implements [Keeper]. The answer has every write that ended before Read was called:
// etcd asks the majority of its members unless told otherwise.
func (e *etcd) Read(ctx context.Context, key string) (Item, error) {
	var got etcdRanged
	if _, err := e.call(ctx, "/v3/kv/range", etcdRange{Key: e.key(key)}, &got); err != nil {
		return Item{}, err
	}
	if len(got.KVs) == 0 {
		return Item{}, nil
	}
	return Item{got.KVs[0].Value, strconv.FormatInt(got.KVs[0].ModRevision, 10)}, nil
}

// Write implements [Keeper].
func (e *etcd) Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error) {
	if len(data) > etcdMaxData {
		return "", &fault.Error{Kind: fault.Failed, Message: fmt.Sprintf("%s: the login has %d KiB, more than the %d KiB that are kept there", e.name, len(data)>>10, etcdMaxData>>10)}
	}
	return e.change(ctx, key, data, revision, lease, etcdOp{Put: &etcdPut{Key: e.key(key), Value: data}})
}

// Delete implements [Keeper].
func (e *etcd) Delete(ctx context.Context, key, revision string, lease *Lease) error {
	_, err := e.change(ctx, key, nil, revision, lease, etcdOp{Delete: &etcdRange{Key: e.key(key)}})
	return err
}

// change does op in one transaction if key still has the revision and the lease its lock.
// data is what key has afterwards; nil means nothing. A nil lease is not compared.
//
// A member that did not answer may have done op all the same, and then the next member
// finds the key changed. So if an answer was lost, change takes the wanted content for
// success. Without a lock, somebody may have changed that content by then: [ErrChanged],
// although op was done.
func (e *etcd) change(ctx context.Context, key string, data []byte, revision string, lease *Lease, op etcdOp) (string, error) {
	var mod, id int64
	var err error
	if revision != "" {
		if mod, err = strconv.ParseInt(revision, 10, 64); err != nil {
			return "", ErrChanged // another store's revision
		}
	}
	txn := etcdTxn{
		Compare: []etcdCompare{{Key: e.key(key), Target: "MOD", Mod: mod}},
		Success: []etcdOp{op},
		Failure: []etcdOp{{Range: &etcdRange{Key: e.key(key)}}},
	}
	if lease != nil {
		if id, err = etcdParseID(lease.ID); err != nil {
			return "", ErrLost
		}
		txn.Compare = append(txn.Compare, etcdCompare{Key: e.lockKey(key), Target: "LEASE", Lease: id})
	}
	var done etcdTxnDone
	unsure, err := e.call(ctx, "/v3/kv/txn", txn, &done)
	if err != nil {
		return "", err
	}
	if done.Succeeded {
		return strconv.FormatInt(done.Header.Revision, 10), nil
	}
	now, err := e.found(done)
	if err != nil {
		return "", err
	}
	switch {
	case now.ModRevision == mod && lease != nil:
		e.stop(id)
		return "", ErrLost
	case unsure && (now.ModRevision == 0) == (data == nil) && bytes.Equal(now.Value, data):
		return strconv.FormatInt(now.ModRevision, 10), nil
	}
	return "", ErrChanged
}

// found returns the key that the only range of a failed transaction has found. A key that
// is not there has the revision zero.
func (e *etcd) found(done etcdTxnDone) (etcdKV, error) {
	if len(done.Responses) != 1 || done.Responses[0].Range == nil {
		return etcdKV{}, &fault.Error{Kind: fault.Temporary, Message: e.name + ": the answer to a transaction is incomplete", Hint: etcdWrongServer}
	}
	if kvs := done.Responses[0].Range.KVs; len(kvs) > 0 {
		return kvs[0], nil
	}
	return etcdKV{}, nil
}

// Names implements [Keeper]. One request for every thousand keys, locks included.
func (e *etcd) Names(ctx context.Context) ([]string, error) {
	var names []string
	from, end := []byte(e.prefix), etcdPrefixEnd(e.prefix)
	if len(from) == 0 {
		from = []byte{0}
	}
	for {
		var page etcdRanged
		if _, err := e.call(ctx, "/v3/kv/range", etcdRange{Key: from, RangeEnd: end, Limit: etcdPage, KeysOnly: true}, &page); err != nil {
			return nil, err
		}
		for _, kv := range page.KVs {
			if name := strings.TrimPrefix(string(kv.Key), e.prefix); !strings.HasPrefix(name, etcdLocks) && name != "" {
				names = append(names, name)
			}
		}
		if !page.More || len(page.KVs) == 0 {
			slices.Sort(names)
			return names, nil
		}
		from = append(page.KVs[len(page.KVs)-1].Key, 0)
	}
}

// etcdPrefixEnd returns the first key after all keys with the prefix; a zero byte alone
// means the end of all keys.
func etcdPrefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

// Lock implements [Keeper]. Two requests if the lock is free, four if not. The lease is
// kept alive until Release, so that the lock ends only after its holder; nothing but the
// lease is needed to find out who is dead, so no clocks are compared.
func (e *etcd) Lock(ctx context.Context, key string, owner Owner) (*Lease, error) {
	asked := e.now().Round(0) // without the monotonic clock, which stands still while a machine sleeps
	var lease etcdLease
	if _, err := e.call(ctx, "/v3/lease/grant", map[string]string{"TTL": strconv.FormatInt(int64((owner.TTL+time.Second-1)/time.Second), 10)}, &lease); err != nil {
		return nil, err
	}
	if lease.ID == 0 || lease.TTL <= 0 {
		return nil, &fault.Error{Kind: fault.Temporary, Message: e.name + ": the answer has no lease", Hint: etcdWrongServer}
	}
	value, err := json.Marshal(etcdHolder{owner.Command, owner.Who, asked.UTC()})
	if err != nil {
		return nil, err
	}
	var done etcdTxnDone
	_, err = e.call(ctx, "/v3/kv/txn", etcdTxn{
		Compare: []etcdCompare{{Key: e.lockKey(key), Target: "MOD"}},
		Success: []etcdOp{{Put: &etcdPut{e.lockKey(key), value, lease.ID}}},
		Failure: []etcdOp{{Range: &etcdRange{Key: e.lockKey(key)}}},
	}, &done)
	if err == nil && !done.Succeeded {
		var now etcdKV
		// If the lock has our lease, a member took it whose answer was lost.
		if now, err = e.found(done); err == nil && now.Lease != lease.ID {
			err = e.held(ctx, now)
		}
	}
	if err != nil {
		// The lock may still be taken, by a request that is on its way.
		_ = e.revoke(context.WithoutCancel(ctx), lease.ID)
		return nil, err
	}
	ttl := time.Duration(lease.TTL) * time.Second
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.mu.Lock()
	e.alive[lease.ID] = stop
	e.mu.Unlock()
	go e.keepAlive(alive, lease.ID, ttl, asked.Add(ttl))
	return &Lease{
		ID:    strconv.FormatInt(lease.ID, 16),
		Until: asked.Add(ttl),
		Lost:  alive.Done(),
		Release: func(ctx context.Context) error {
			e.stop(lease.ID)
			return e.revoke(ctx, lease.ID)
		},
	}, nil
}

// keepAlive renews a lease at every third of its time until ctx ends, or the lease: etcd
// says so, or has not answered until then. A holder that hangs does not hold others up
// for ever.
func (e *etcd) keepAlive(ctx context.Context, id int64, ttl time.Duration, until time.Time) {
	defer fault.Crash()
	defer e.stop(id)
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for range etcdRenewals {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := e.now().Round(0)
		limited, cancel := context.WithTimeout(ctx, ttl/3)
		var lease etcdLease
		_, err := e.call(limited, "/v3/lease/keepalive", etcdID{id}, &lease)
		cancel()
		switch {
		case err == nil && lease.TTL <= 0:
			return
		case err == nil:
			until = asked.Add(time.Duration(lease.TTL) * time.Second)
		case !e.now().Before(until):
			return
		}
	}
}

// stop ends keepAlive.
func (e *etcd) stop(id int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if stop := e.alive[id]; stop != nil {
		stop()
		delete(e.alive, id)
	}
}

// revoke ends a lease, which deletes its lock. A lease that has ended is no error. Nobody
// waits long for a cluster that is away: the lease ends by itself.
func (e *etcd) revoke(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, etcdRevokeTime)
	defer cancel()
	_, err := e.call(ctx, "/v3/lease/revoke", etcdID{id}, nil)
	if f, ok := errors.AsType[*etcdError](err); ok && strings.Contains(f.said, "lease not found") {
		return nil
	}
	return err
}

// held says who has a lock.
func (e *etcd) held(ctx context.Context, lock etcdKV) *HeldError {
	h := &HeldError{ID: strconv.FormatInt(lock.Lease, 16)}
	var holder etcdHolder
	if json.Unmarshal(lock.Value, &holder) == nil && holder.Who != "" {
		h.By, h.Since = e.clean("tokenform "+holder.Command+" by "+holder.Who), holder.Since
	}
	var lease etcdLease
	if _, err := e.call(ctx, "/v3/lease/timetolive", etcdID{lock.Lease}, &lease); err == nil && lease.TTL > 0 {
		h.Until = e.now().Add(time.Duration(lease.TTL) * time.Second)
	}
	return h
}

// Unlock implements [Keeper].
func (e *etcd) Unlock(ctx context.Context, key, id string) error {
	lease, err := etcdParseID(id)
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Message: fmt.Sprintf("%q is not the id of a lock in etcd", id), Hint: "the error of a run that waited in vain shows the id"}
	}
	var done etcdTxnDone
	unsure, err := e.call(ctx, "/v3/kv/txn", etcdTxn{
		Compare: []etcdCompare{{Key: e.lockKey(key), Target: "LEASE", Lease: lease}},
		Success: []etcdOp{{Delete: &etcdRange{Key: e.lockKey(key)}}},
		Failure: []etcdOp{{Range: &etcdRange{Key: e.lockKey(key)}}},
	}, &done)
	if err != nil {
		return err
	}
	if done.Succeeded {
		// So that its holder learns it soon. The lock is free without it.
		_ = e.revoke(ctx, lease)
		return nil
	}
	now, err := e.found(done)
	switch {
	case err != nil:
		return err
	case now.ModRevision != 0:
		return &fault.Error{Kind: fault.Failed, Message: "the lock has another id", Err: e.held(ctx, now)}
	case unsure:
		return nil
	}
	return &fault.Error{Kind: fault.Failed, Message: "nobody holds the lock " + strconv.FormatInt(lease, 16)}
}

// etcdParseID parses the id of a lease, in the form that etcdctl shows too.
func etcdParseID(id string) (int64, error) { return strconv.ParseInt(id, 16, 64) }

// etcdError is why a member has not done what it was asked to do. Its chain has the
// [fault.Error].
type etcdError struct {
	why   *fault.Error
	said  string // etcd's own message
	next  bool   // another member may answer
	sent  bool   // the member may have done it all the same
	stale bool   // the token is no longer good
}

func (e *etcdError) Error() string { return e.why.Error() }

func (e *etcdError) Unwrap() error { return e.why }

// call asks the cluster, and renews the token of the user if need be. unsure means that
// an answer was lost: a request that was done twice is in doubt.
func (e *etcd) call(ctx context.Context, path string, in, out any) (unsure bool, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return false, err
	}
	for try := 0; ; try++ {
		token, err := e.authenticate(ctx)
		if err != nil {
			return unsure, err
		}
		lost, failed := e.ask(ctx, token, path, body, out)
		unsure = unsure || lost
		switch {
		case failed == nil:
			return unsure, nil
		case failed.stale && token != "" && try < 2:
			e.mu.Lock()
			if e.token == token {
				e.token = ""
			}
			e.mu.Unlock()
		case errors.Is(ctx.Err(), context.Canceled):
			return unsure, ctx.Err()
		default:
			return unsure, failed
		}
	}
}

// authenticate returns the token of the user, or "" if there is no user.
func (e *etcd) authenticate(ctx context.Context) (string, error) {
	if e.user == "" {
		return "", nil
	}
	e.mu.Lock()
	token := e.token
	e.mu.Unlock()
	if token != "" {
		return token, nil
	}
	body, err := json.Marshal(map[string]string{"name": e.user, "password": e.password})
	if err != nil {
		return "", err
	}
	var got struct{ Token string }
	_, failed := e.ask(ctx, "", "/v3/auth/authenticate", body, &got)
	switch {
	case failed != nil && errors.Is(ctx.Err(), context.Canceled):
		return "", ctx.Err()
	case failed != nil:
		return "", failed
	case got.Token == "":
		return "", &fault.Error{Kind: fault.Temporary, Message: e.name + ": the answer has no token", Hint: etcdWrongServer}
	}
	e.mu.Lock()
	e.token = got.Token
	e.mu.Unlock()
	return got.Token, nil
}

// ask asks one member after the other, first the one that has answered last. lost means
// that a member may have done what was asked although it did not say so.
func (e *etcd) ask(ctx context.Context, token, path string, body []byte, out any) (lost bool, last *etcdError) {
	ctx, cancel := context.WithTimeout(ctx, etcdTime)
	defer cancel()
	e.mu.Lock()
	first := e.first
	e.mu.Unlock()
	for round := range etcdRounds {
		if round > 0 {
			select {
			case <-ctx.Done():
				return lost, last
			case <-time.After(e.nap << (round - 1)):
			}
		}
		for i := range e.members {
			at := (first + i) % len(e.members)
			failed := e.try(ctx, e.members[at], token, path, body, out, etcdPatience<<round)
			if failed == nil || !failed.next {
				e.mu.Lock()
				e.first = at
				e.mu.Unlock()
				return lost, failed
			}
			lost = lost || failed.sent
			if last == nil || failed.why.Kind == fault.Temporary || last.why.Kind != fault.Temporary {
				last = failed
			}
			if ctx.Err() != nil {
				return lost, last
			}
		}
		if last.why.Kind != fault.Temporary {
			return lost, last
		}
	}
	return lost, last
}

// etcdWrongServer is the hint if something other than etcd answers.
const etcdWrongServer = "check endpoints: they must be the client URLs of etcd 3.4 or later, with https if etcd uses TLS"

// try asks one member once.
func (e *etcd) try(ctx context.Context, m etcdMember, token, path string, body []byte, out any, patience time.Duration) *etcdError {
	ctx, cancel := context.WithTimeout(oauth.Once(ctx), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+path, bytes.NewReader(body))
	if err != nil {
		return &etcdError{why: &fault.Error{Kind: fault.Invalid, Message: e.name + ": no request can be made"}}
	}
	req.Header.Set("Content-Type", "application/json")
	// A member that has lost the others says so at once, instead of waiting for them.
	req.Header.Set("Grpc-Metadata-Hasleader", "true")
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return e.noAnswer(m, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return &etcdError{next: true, sent: true, why: &fault.Error{Kind: fault.Temporary, Message: e.at(m, "the answer was cut short"), Hint: "try again"}}
	case len(data) >= etcdMaxAnswer:
		return &etcdError{why: &fault.Error{Kind: fault.Failed, Message: e.at(m, "the answer is larger than 1 MiB"), Hint: "something else than a login is under the prefix"}}
	}
	return e.decode(m, resp.StatusCode, data, out)
}

// etcdAnswer is what answers have in common.
type etcdAnswer struct {
	Header  *struct{}       // every answer of success has it
	Result  json.RawMessage // the answer itself, of keepalive
	Error   any             // a text; of keepalive an object
	Code    int             // of gRPC
	Message string
}

// decode fills out from an answer of success.
func (e *etcd) decode(m etcdMember, status int, data []byte, out any) *etcdError {
	var answer etcdAnswer
	damaged := json.Unmarshal(data, &answer)
	code, said := answer.Code, answer.Message
	switch text := answer.Error.(type) {
	case string:
		said = cmp.Or(said, text)
	case map[string]any:
		number, _ := text["grpc_code"].(float64)
		code = cmp.Or(code, int(number))
		inner, _ := text["message"].(string)
		said = cmp.Or(said, inner)
	}
	if damaged == nil && answer.Result != nil {
		data = answer.Result
		damaged = json.Unmarshal(data, &answer)
	}
	wrong := ""
	switch {
	case status != http.StatusOK || code != 0 || said != "":
		return e.refused(m, status, code, said)
	case len(bytes.TrimSpace(data)) == 0:
		wrong = "an empty answer"
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")):
		wrong = "an HTML page as the answer"
	case damaged != nil:
		wrong = "the answer is damaged, or not JSON"
	case answer.Header == nil:
		wrong = "the answer is not etcd's"
	case out != nil && json.Unmarshal(data, out) != nil:
		wrong = "the answer is not as etcd documents it"
	default:
		return nil
	}
	return &etcdError{next: true, sent: true, why: &fault.Error{Kind: fault.Temporary, Message: e.at(m, wrong), Hint: etcdWrongServer}}
}

func (e *etcd) at(m etcdMember, what string) string { return "etcd at " + m.host + ": " + what }

// noAnswer says why there is no answer.
func (e *etcd) noAnswer(m etcdMember, err error) *etcdError {
	why, hint, temporary := oauth.Explain(err)
	f := &etcdError{next: true, why: &fault.Error{Kind: fault.Temporary, Message: e.at(m, why), Hint: hint}}
	op, network := errors.AsType[*net.OpError](err)
	f.sent = !network || op.Op != "dial"
	switch {
	case network && op.Op == "remote error": // a TLS alert
		f.why.Kind, f.why.Hint = fault.Failed, "if etcd asks for a client certificate: check cert and key, and that the certificate is signed by the CA that etcd trusts"
	case errors.Is(err, io.EOF) && strings.HasPrefix(m.url, "http:"):
		f.why.Hint = etcdWrongServer
	case errors.Is(err, http.ErrSchemeMismatch):
		f.why.Kind, f.why.Hint = fault.Failed, "let etcd use TLS; if it is on this machine, http://127.0.0.1 in endpoints is enough"
	case !temporary:
		f.why.Kind = fault.Failed
		if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			if invalid, ok := errors.AsType[x509.CertificateInvalidError](cert.Err); !ok || invalid.Reason != x509.Expired {
				f.why.Hint = "ca must be the file of the authority that signed etcd's certificate, and endpoints must name the hosts as the certificate does"
			}
		}
	}
	return f
}

// refused turns an answer that is no success into words. code is gRPC's, and zero if the
// answer is not etcd's own.
func (e *etcd) refused(m etcdMember, status, code int, said string) *etcdError {
	const (
		invalidArgument   = 3
		deadlineExceeded  = 4
		permissionDenied  = 7
		resourceExhausted = 8
		unimplemented     = 12
		unavailable       = 14
		dataLoss          = 15
		unauthenticated   = 16
	)
	words := strings.TrimPrefix(e.clean(said), "etcdserver: ")
	f := &etcdError{said: said, why: &fault.Error{Kind: fault.Failed, Message: e.at(m, cmp.Or(words, fmt.Sprintf("answered %d", status)))}}
	about := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(said, part) })
	}
	switch {
	case code == 0 && (status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500):
		f.why.Kind, f.next, f.sent = fault.Temporary, true, true
		f.why.Message = e.at(m, fmt.Sprintf("answered %d", status))
	case code == 0 || status == http.StatusNotFound && words == "Not Found" || code == unimplemented:
		f.next = true
		f.why.Message, f.why.Hint = e.at(m, fmt.Sprintf("answered %d, which is not an answer of etcd's JSON gateway", status)), etcdWrongServer
		if status >= 300 && status < 400 {
			f.why.Message = e.at(m, fmt.Sprintf("answered %d, a redirect, which tokenform does not follow", status))
		}
	case about("invalid auth token", "revision of auth store is old"):
		f.why.Kind, f.stale = fault.Temporary, true
	case about("user name is empty", "user name not found") || e.user == "" && (code == unauthenticated || code == permissionDenied):
		f.why.Message = e.at(m, "it asks for a user")
		f.why.Hint = "add username and password to state; etcd's JSON gateway takes no user from a client certificate"
	case about("authentication failed", "invalid user ID or password"):
		f.why.Message = e.at(m, fmt.Sprintf("the user %s, or the password, is wrong", e.user))
		f.why.Hint = "check username"
		if e.passwordFrom != "" {
			f.why.Hint += ", and password (from " + e.passwordFrom + ")"
		}
	case about("authentication is not enabled"):
		f.why.Hint = "remove username and password from state, or run: etcdctl auth enable"
	case code == permissionDenied:
		f.why.Hint = fmt.Sprintf("give the user %s a role with all keys of the prefix: etcdctl role grant-permission ROLE --prefix=true readwrite '%s'", e.user, e.prefix)
	case about("database space exceeded"):
		f.why.Message = e.at(m, "its database is full")
		f.why.Hint = "compact and defragment etcd, then disarm its alarm: etcdctl compaction, etcdctl defrag, etcdctl alarm disarm"
	case about("too large", "larger than max"):
		f.why.Message = e.at(m, "the login is too large")
		f.why.Hint = "increase etcd's --max-request-bytes"
	case code == dataLoss:
		f.why.Hint = "the members disagree: see etcdctl alarm list"
	case about("lease not found"):
		f.why.Kind, f.why.Hint = fault.Temporary, "the lease has ended early; try again"
	case about("learner"):
		f.why.Kind, f.next = fault.Temporary, true
	case status >= 500 || slices.Contains([]int{deadlineExceeded, resourceExhausted, unavailable}, code):
		f.why.Kind, f.next, f.sent = fault.Temporary, true, true
		f.why.Hint = "see etcdctl endpoint status"
	case code == invalidArgument:
		f.why.Hint = etcdWrongServer
	}
	return f
}

// clean returns a text of others for a message: one short line without secrets.
func (e *etcd) clean(s string) string {
	e.mu.Lock()
	token := e.token
	e.mu.Unlock()
	for _, secret := range []string{e.password, token} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return clean(s)
}
