package keeper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
)

// s3Store keeps each login in an object, and each lock in another one beside it, with
// conditional writes (docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html):
// of several writers of one object, one wins. A revision is an ETag.
//
// How old a lock is says the server alone: the Date of its answer minus the lock's
// Last-Modified. No machine's clock is compared with another's.
//
// Not every store heeds If-Match in a DELETE. So an object is deleted only under its lock,
// and after its ETag was compared; a lock only while it holds, or after its id was.
type s3Store struct {
	config.Store
	signer
	from   [3]string // where access key, secret key and session token are from
	client *http.Client
	now    func() time.Time
	base   url.URL // of the bucket, without a slash at its end

	skew   atomic.Int64 // how far the server's clock is ahead of ours, once a request was refused for that
	proven atomic.Bool  // whether the store has refused a write for its If-Match
}

func openS3(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	k := &s3Store{Store: s, client: o.HTTP(nil), now: o.Now}
	env := func(name string) string { v, _ := o.Env(name); return v }
	k.service = "s3"
	k.region = cmp.Or(s.Region, env("AWS_REGION"), env("AWS_DEFAULT_REGION"), "us-east-1")
	if err := k.credentials(ctx, env); err != nil {
		return nil, err
	}
	endpoint := s.Endpoint
	if endpoint == "" {
		endpoint = "https://s3." + k.region + ".amazonaws.com"
		if strings.HasPrefix(k.region, "cn-") {
			endpoint += ".cn"
		}
	}
	base, err := url.Parse(endpoint)
	if err != nil || base.Host == "" {
		return nil, k.failed(fault.Invalid, "its endpoint is not an address", "write for example endpoint: https://minio.example.com")
	}
	k.base = url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/")}
	// The certificate of *.HOST does not fit a bucket with a dot, and neither an IP nor
	// localhost has subdomains.
	if s.PathStyle || strings.Contains(s.Bucket, ".") && base.Scheme == "https" || net.ParseIP(base.Hostname()) != nil || base.Hostname() == "localhost" {
		k.base.Path += "/" + s.Bucket
	} else {
		k.base.Host = s.Bucket + "." + base.Host
	}
	return k, nil
}

// credentials fetches the keys from the profile, or else from the variables of AWS.
func (s *s3Store) credentials(ctx context.Context, env func(string) string) error {
	keys := [...]struct {
		into     *string
		value    *config.Value
		variable string
	}{
		{&s.access, s.AccessKey, "AWS_ACCESS_KEY_ID"},
		{&s.secret, s.SecretKey, "AWS_SECRET_ACCESS_KEY"},
		{&s.session, s.SessionToken, "AWS_SESSION_TOKEN"},
	}
	var missing []string
	for i, k := range keys {
		if s.from[i] = k.variable; s.AccessKey == nil {
			*k.into = env(k.variable)
		} else {
			text, err := k.value.Resolve(ctx)
			if err != nil {
				return err
			}
			*k.into, s.from[i] = text, k.value.From()
		}
		if *k.into == "" && i < 2 {
			missing = append(missing, s.from[i])
		}
		if strings.ContainsFunc(*k.into, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return s.failed(fault.Invalid, "the key from "+s.from[i]+" has a blank, or another character that no key has", "copy the key again")
		}
	}
	switch {
	case missing == nil:
		return nil
	case s.AccessKey != nil:
		return s.failed(fault.Invalid, "the key from "+missing[0]+" is empty", "write the key there")
	}
	are := " is"
	if len(missing) > 1 {
		are = " are"
	}
	return s.failed(fault.Invalid, strings.Join(missing, " and ")+are+" not set", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write access_key and secret_key into the profile")
}

func (s *s3Store) failed(kind fault.Kind, why, hint string) error {
	return &fault.Error{Kind: kind, Message: s.String() + ": " + why, Hint: hint}
}

// absent as a match means that a write is done only if there is no object yet.
const absent = "*"

// s3Request is a request for an object, or for the bucket if it has no name.
type s3Request struct {
	method string
	name   string
	query  url.Values
	match  string // an ETag, or absent; empty means no condition
	body   []byte
}

type s3Answer struct {
	request  *s3Request
	status   int
	header   http.Header
	body     []byte
	tooLarge bool
	code     string // of an error, as S3 names it; empty means that the answer has none
}

// send sends a request and reads its answer. The error is about the network. If the
// server refuses the time of this machine, send uses the server's from then on.
func (s *s3Store) send(ctx context.Context, r *s3Request) (*s3Answer, error) {
	for again := false; ; again = true {
		a, at, err := s.sendOnce(ctx, r)
		if err != nil {
			return nil, err
		}
		date, err := http.ParseTime(a.header.Get("Date"))
		if a.status != http.StatusForbidden || err != nil || date.Sub(at).Abs() < skewed || again {
			return a, nil
		}
		s.skew.Store(int64(date.Sub(s.now())))
	}
}

// skewed is how far off a clock must be for a refused request to be worth another try. S3
// allows fifteen minutes.
const skewed = 4 * time.Minute

// sendOnce signs and sends a request. at is the time that it was signed with.
func (s *s3Store) sendOnce(ctx context.Context, r *s3Request) (a *s3Answer, at time.Time, err error) {
	address := s.base
	address.Path += "/" + r.name
	address.RawPath = percent(address.Path, "/")
	address.RawQuery = canonicalQuery(r.query)
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, at, s.failed(fault.Invalid, "its address is not one", "correct endpoint and bucket")
	}
	sum := digest(r.body)
	req.Header.Set("X-Amz-Content-Sha256", sum)
	switch r.match {
	case "":
	case absent:
		req.Header.Set("If-None-Match", "*")
	default:
		req.Header.Set("If-Match", r.match)
	}
	if r.method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	at = s.now().Add(time.Duration(s.skew.Load()))
	s.sign(req, sum, at)
	req.Header.Set("Accept-Encoding", "identity") // unsigned: proxies change it. An ETag is of the bytes as they are stored.
	resp, err := s.client.Do(req)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound && strings.HasPrefix(s.base.Host, s.Bucket+".") {
		return nil, at, s.failed(fault.Temporary, "there is no host "+s.base.Hostname(), "check bucket, region and endpoint, and the network connection; if the store has no host for each bucket, write path_style: true")
	}
	if err != nil {
		return nil, at, unanswered(ctx, s.String(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode < 300 {
		return nil, at, unanswered(ctx, s.String(), err)
	}
	a = &s3Answer{request: r, status: resp.StatusCode, header: resp.Header, body: body, tooLarge: max(resp.ContentLength, int64(len(body))) >= 1<<20}
	if a.status >= 300 {
		a.code, _, _ = element(string(body), "Code")
		if !isWord(a.code) {
			a.code = ""
		}
	}
	return a, at, nil
}

// element returns the text of the first element of this name in XML, and what follows the
// element. The few elements of S3 that are read have no attributes and no children.
func element(xml, name string) (text, rest string, ok bool) {
	_, xml, ok = strings.Cut(xml, "<"+name+">")
	if !ok {
		return "", "", false
	}
	text, rest, ok = strings.Cut(xml, "</"+name+">")
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&apos;", "'", "&#39;", "'", "&amp;", "&")
	return unescape.Replace(text), rest, ok
}

// isPage reports whether a body is XML or HTML.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// ok reports whether the answer is a good one.
func (a *s3Answer) ok() bool { return a.status >= 200 && a.status < 300 }

// gone reports whether there is no such object. 404 alone may be any web server's.
func (a *s3Answer) gone() bool { return a.status == http.StatusNotFound && a.code == "NoSuchKey" }

// refused is the error for an answer that nobody asked for.
func (s *s3Store) refused(a *s3Answer) error {
	what := fmt.Sprintf("it answered %d to %s", a.status, a.request.method)
	if a.code != "" {
		what += " (" + a.code + ")"
	}
	kind, why, hint := s.meaning(a, what)
	return s.failed(kind, why, hint)
}

// meaning says what an answer that nobody asked for means. what names the answer.
func (s *s3Store) meaning(a *s3Answer, what string) (kind fault.Kind, why, hint string) {
	switch a.code {
	case "NoSuchBucket":
		return fault.Failed, "there is no such bucket at " + s.base.Host, "create the bucket, or correct bucket, region and endpoint"
	case "InvalidBucketName":
		return fault.Invalid, "no bucket can have this name", "correct bucket"
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter is versitygw's word
		hint = "check the key, and that endpoint is the store that the key is for"
		if s.session == "" && strings.HasPrefix(s.access, "ASIA") { // temporary ones of AWS begin so
			hint = "a temporary key needs its session token: write session_token, or set AWS_SESSION_TOKEN"
		}
		return fault.Failed, "it does not know the access key from " + s.from[0], hint
	case "SignatureDoesNotMatch":
		return fault.Failed, "the secret key from " + s.from[1] + " does not fit the access key from " + s.from[0], "copy both keys again"
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		if s.session != "" {
			return fault.Failed, "the session token from " + s.from[2] + " has expired or does not fit the keys", "get new keys with their token"
		}
	case "RequestTimeTooSkewed":
		return fault.Failed, "its clock and this machine's differ too much", "set this machine's clock"
	case "NotImplemented":
		return fault.Failed, what + noConditions, useAnother
	}
	if a.status >= 300 && a.status < 400 || a.code == "AuthorizationHeaderMalformed" || a.code == "IllegalLocationConstraintException" {
		region := a.header.Get("X-Amz-Bucket-Region")
		if region == "" {
			region, _, _ = element(string(a.body), "Region")
		}
		switch {
		case isWord(region) && region != s.region:
			return fault.Failed, "it is not in the region " + s.region, "write region: " + region
		case a.code != "":
			return fault.Failed, what + ": it is not in the region " + s.region + ", or not at " + s.base.Host, "correct region and endpoint"
		}
		return fault.Failed, what + ", which leads to another address", "write the final address as endpoint"
	}
	if a.code == "" && isPage(a.body) && a.status < 500 {
		kind = fault.Failed
		if a.ok() { // a proxy may want a person to log in first
			kind = fault.Temporary
		}
		return kind, what + " with a page, which no S3 store does", "check endpoint; a proxy or a login page may have answered"
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Failed, what + "; the access key was from " + s.from[0], "allow that key s3:GetObject, s3:PutObject and s3:DeleteObject for " + s.Prefix + "* and s3:ListBucket for the bucket: without the last one, S3 answers so for an object that does not exist"
	case 408, 409, 429, 500, 502, 503, 504:
		return fault.Temporary, what, "try again later"
	}
	return fault.Failed, what, "check endpoint, bucket and path_style: is an S3 store there?"
}

// What is said of a store that does not know conditions.
const (
	noConditions = ": it cannot write under a condition (If-Match, If-None-Match), so machines would overwrite each other's logins"
	useAnother   = "use a store that can: AWS, MinIO, Ceph, R2 or versitygw of today; or another type of store"
)

// isWord reports whether s, which is the server's, is fit for a message: the code of an
// error, or a region.
func isWord(s string) bool {
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// object is what the bucket has under a name. The zero object means that there is none.
type object struct {
	body []byte
	etag string
	age  time.Duration // by the server's clock, to the second; negative means not known
}

func (s *s3Store) get(ctx context.Context, name string) (object, error) {
	a, err := s.send(ctx, &s3Request{method: http.MethodGet, name: name})
	switch {
	case err != nil:
		return object{}, err
	case a.gone():
		return object{}, nil
	case a.status != http.StatusOK || isPage(a.body):
		return object{}, s.refused(a)
	case a.header.Get("Etag") == "":
		return object{}, s.failed(fault.Failed, "it answered without an ETag, by which changes are told", "check endpoint: is an S3 store there?")
	case a.tooLarge:
		return object{}, s.failed(fault.Failed, "it has more than 1 MiB under "+name, "that is no login: delete it there, or use another prefix")
	}
	o := object{body: a.body, etag: a.header.Get("Etag"), age: -1}
	date, err := http.ParseTime(a.header.Get("Date"))
	modified, err2 := http.ParseTime(a.header.Get("Last-Modified"))
	if err == nil && err2 == nil {
		o.age = max(date.Sub(modified), 0)
	}
	return o, nil
}

// conflictTries is how often a write is sent that another one has interfered with.
const conflictTries = 6

// put makes body the object if match holds. If put has not stored it, now is what the
// bucket has instead.
func (s *s3Store) put(ctx context.Context, name string, body []byte, match string) (now object, stored bool, err error) {
	for try := range conflictTries {
		a, err := s.send(ctx, &s3Request{method: http.MethodPut, name: name, match: match, body: body})
		if err == nil && a.status == http.StatusConflict && slices.Contains([]string{"", "ConditionalRequestConflict", "OperationAborted"}, a.code) && try < conflictTries-1 {
			if err := nap(ctx, 50*time.Millisecond<<try); err != nil {
				return object{}, false, err
			}
			continue
		}
		if err == nil && a.ok() && a.header.Get("Etag") != "" && !isPage(a.body) {
			return object{body: body, etag: a.header.Get("Etag")}, true, nil
		}
		lost := err == nil && (a.status == http.StatusPreconditionFailed || a.gone() && match != absent)
		// An earlier try may have stored the body: its answer was lost, and the client
		// sent the write again.
		if now, readErr := s.get(ctx, name); readErr == nil && now.etag != "" && bytes.Equal(now.body, body) {
			return now, true, nil
		} else if lost {
			return now, false, readErr
		}
		if err == nil {
			err = s.refused(a)
		}
		return object{}, false, err
	}
	panic("unreachable")
}

// nap waits for up to twice d, so that those who interfered do not do so again.
func nap(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d + rand.N(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// remove deletes the object if it still has this ETag.
func (s *s3Store) remove(ctx context.Context, name, etag string) error {
	for try := range conflictTries {
		a, err := s.send(ctx, &s3Request{method: http.MethodDelete, name: name, match: etag})
		switch {
		case err != nil:
			return err
		case a.ok() && !isPage(a.body), a.gone():
			return nil
		case a.status == http.StatusPreconditionFailed:
			return ErrChanged
		case a.status != http.StatusConflict || try == conflictTries-1:
			return s.refused(a)
		}
		if err := nap(ctx, 50*time.Millisecond<<try); err != nil {
			return err
		}
	}
	panic("unreachable")
}

func (s *s3Store) dataName(key string) string { return s.Prefix + key + ".json" }
func (s *s3Store) lockName(key string) string { return s.Prefix + key + ".lock" }

func (s *s3Store) Read(ctx context.Context, key string) (Item, error) {
	o, err := s.get(ctx, s.dataName(key))
	switch {
	case err != nil || o.etag == "":
		return Item{}, err
	case !json.Valid(o.body):
		return Item{Revision: o.etag}, s.failed(fault.Failed, "it has something that is no login under "+s.dataName(key), "if prefix is right, restore the login from a backup, or delete it there and log in again")
	}
	return Item{o.body, o.etag}, nil
}

func (s *s3Store) Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error) {
	if lease.Left(s.now()) < leastLeft {
		return "", ErrLost
	}
	match := revision
	if match == "" {
		match = absent
	}
	o, stored, err := s.put(ctx, s.dataName(key), data, match)
	switch {
	case err != nil:
		return "", err
	case !stored:
		return "", ErrChanged
	}
	return o.etag, nil
}

func (s *s3Store) Delete(ctx context.Context, key, revision string, lease *Lease) error {
	name := s.dataName(key)
	o, err := s.get(ctx, name)
	switch {
	case err != nil:
		return err
	case o.etag != revision:
		return ErrChanged
	case revision == "":
		return nil
	case lease.Left(s.now()) < leastLeft:
		return ErrLost
	}
	return s.remove(ctx, name, revision)
}

// A list has at most so many pages, each of so many objects: a page must fit into a body
// even if the names are long.
const (
	mostPages = 1000
	pageSize  = "500"
)

func (s *s3Store) Names(ctx context.Context) ([]string, error) {
	query := url.Values{"list-type": {"2"}, "prefix": {s.Prefix}, "delimiter": {"/"}, "max-keys": {pageSize}}
	var names []string
	for range mostPages {
		a, err := s.send(ctx, &s3Request{method: http.MethodGet, query: query})
		if err != nil {
			return nil, err
		}
		page := string(a.body)
		truncated, _, ok := element(page, "IsTruncated")
		switch {
		case a.status != http.StatusOK || !strings.Contains(page, "<ListBucketResult"):
			return nil, s.refused(a)
		case !ok || !strings.HasSuffix(strings.TrimSpace(page), "</ListBucketResult>"):
			return nil, s.failed(fault.Temporary, "its list of logins is cut off", "try again later")
		}
		next, _, _ := element(page, "NextContinuationToken")
		for {
			_, page, ok = strings.Cut(page, "<Contents>")
			if !ok {
				break
			}
			key, _, _ := element(page, "Key")
			key, mine := strings.CutPrefix(key, s.Prefix)
			key, login := strings.CutSuffix(key, ".json")
			if mine && login && key != "" {
				names = append(names, key)
			}
		}
		switch {
		case truncated != "true":
			slices.Sort(names)
			return names, nil
		case next == "" || next == query.Get("continuation-token"):
			return nil, s.failed(fault.Failed, "its list of logins does not go on", "check endpoint: is an S3 store with ListObjectsV2 there?")
		}
		query.Set("continuation-token", next)
	}
	return nil, s.failed(fault.Failed, "its list of logins does not end", "use a prefix that other objects do not have")
}

// s3Lock is the content of a lock.
type s3Lock struct {
	ID      string `json:"id"`
	Command string `json:"command"`
	Who     string `json:"who"`
	TTL     int64  `json:"ttl_seconds"` // from the time that the server has stored the lock
}

// over reports whether the lock l, as it was read, has ended. The two times of the server
// are whole seconds, so that the age may be a second less than it seems.
func (l s3Lock) over(o object) bool {
	return l.TTL > 0 && o.age-time.Second >= time.Duration(l.TTL)*time.Second
}

func (s *s3Store) Lock(ctx context.Context, key string, owner Owner) (*Lease, error) {
	ttl := max(owner.TTL.Truncate(time.Second), time.Second)
	mine := s3Lock{lockID(), owner.Command, owner.Who, int64(ttl / time.Second)}
	body, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	name, match := s.lockName(key), absent
	var broken *HeldError
	for range 4 {
		start := s.now()
		now, stored, err := s.put(ctx, name, body, match)
		switch {
		case err != nil:
			return nil, err
		case stored:
			lease := &Lease{ID: mine.ID, Until: start.Add(ttl), Broken: broken}
			lease.Release = func(ctx context.Context) error { return s.release(ctx, name, now.etag, lease) }
			if err := s.prove(ctx, name, body); err != nil {
				_ = lease.Release(ctx) // the lock ends by itself too
				return nil, err
			}
			return lease, nil
		case now.etag == "": // it was released meanwhile
			match, broken = absent, nil
			continue
		}
		by, held := s.holder(now)
		if !by.over(now) {
			return nil, held
		}
		match, broken = now.etag, held
	}
	return nil, &HeldError{} // others were faster every time
}

// holder reads a lock.
func (s *s3Store) holder(o object) (s3Lock, *HeldError) {
	var by s3Lock
	if json.Unmarshal(o.body, &by) != nil || by.ID == "" {
		return s3Lock{}, &HeldError{ID: strings.Trim(clean(o.etag), `"`), By: "another program"}
	}
	e := &HeldError{ID: clean(by.ID), By: "tokenform " + clean(by.Command) + " by " + clean(by.Who)}
	if o.age >= 0 {
		e.Since = s.now().Add(-o.age)
		if by.TTL > 0 {
			e.Until = e.Since.Add(time.Duration(by.TTL) * time.Second)
		}
	}
	return by, e
}

// prove makes sure that the store heeds conditions: a store that does not know them
// ignores them, and every machine would have every lock. prove tries to replace the lock,
// which is ours, by itself, under a condition that does not hold; once for each process.
func (s *s3Store) prove(ctx context.Context, name string, body []byte) error {
	if s.proven.Load() {
		return nil
	}
	a, err := s.send(ctx, &s3Request{method: http.MethodPut, name: name, match: `"00000000000000000000000000000000"`, body: body})
	switch {
	case err != nil:
		return err
	case a.ok():
		return s.failed(fault.Failed, "it wrote what it should not have written"+noConditions, useAnother)
	case a.status != http.StatusPreconditionFailed && a.status != http.StatusConflict && !a.gone():
		return s.refused(a)
	}
	s.proven.Store(true)
	return nil
}

// release deletes a lock while the lease holds: nobody else can have it before.
func (s *s3Store) release(ctx context.Context, name, etag string, lease *Lease) error {
	left := lease.Left(s.now())
	if left == 0 {
		return nil // it may be somebody else's by now
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	if err := s.remove(ctx, name, etag); err != nil && err != ErrChanged {
		return err
	}
	return nil
}

func (s *s3Store) Unlock(ctx context.Context, key, id string) error {
	name := s.lockName(key)
	o, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	if o.etag != "" {
		if _, held := s.holder(o); held.ID == id {
			err := s.remove(ctx, name, o.etag)
			if err != ErrChanged {
				return err
			}
		}
	}
	return s.failed(fault.Failed, "it has no lock with this id", "the error of a run that waits shows the id")
}
