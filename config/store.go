package config

import (
	"strconv"
	"strings"
	"time"
)

// StoreType is an engine that keeps logins for many machines, by its name in a profile.
type StoreType string

// The store types. Package keeper has an implementation of each.
const (
	HTTPStore    StoreType = "http"
	S3Store      StoreType = "s3"
	EtcdStore    StoreType = "etcd"
	CommandStore StoreType = "command"
)

// DefaultLockTTL is how long a lock in a store holds if its holder dies. A grant takes
// thirty seconds at most, and so does storing its answer.
const DefaultLockTTL = 2 * time.Minute

// Store is where the login of a profile is kept if many machines share the login: the
// mapping that a profile has as its state. The fields of other types are zero.
type Store struct {
	Type    StoreType
	LockTTL time.Duration // after this long, another machine may take over a lock
	Pos     Pos

	// Type http: the protocol of the Terraform HTTP backend.
	Address       string // where the login is, an absolute URL
	LockAddress   string // empty means Address
	UnlockAddress string // empty means LockAddress
	UpdateMethod  string // POST by default
	LockMethod    string // LOCK by default
	UnlockMethod  string // UNLOCK by default

	// Types http and etcd.
	Username string // empty means no authentication
	Password *Value // nil means none

	// Type s3.
	Bucket       string
	Region       string // empty means AWS_REGION, AWS_DEFAULT_REGION, or us-east-1
	Endpoint     string // empty means AWS
	PathStyle    bool   // the bucket is in the path and not in the host name
	AccessKey    *Value // nil means AWS_ACCESS_KEY_ID and its two companions
	SecretKey    *Value
	SessionToken *Value // nil means none

	// Types s3 and etcd: what comes before the names of profiles in keys.
	Prefix string

	// Type etcd: its JSON gateway.
	Endpoints []string // URLs of the members
	CA        string   // absolute path of the certificates to trust; empty means the system's
	Cert, Key string   // absolute paths of the client certificate and its key; empty means none

	// Type command.
	Command []string // the program and its first arguments
	Dir     string   // where the program runs, the profile's directory
}

// String names s in messages, without credentials.
func (s *Store) String() string {
	switch s.Type {
	case HTTPStore:
		return "the http store " + s.Address
	case S3Store:
		return "the s3 bucket " + s.Bucket
	case EtcdStore:
		return "etcd at " + strings.Join(s.Endpoints, ", ")
	}
	return "the store of " + strings.Join(s.Command[:min(1, len(s.Command))], "")
}

// Place is equal for stores that keep the same logins, whoever asks for them and how.
func (s *Store) Place() string {
	return strings.Join(append(append([]string{string(s.Type), s.Address, s.Endpoint, s.Bucket, s.Prefix}, s.Endpoints...), s.Command...), "\n")
}

// Identity is equal for stores that can share connections: all that s declares. Identity
// may hold secrets.
func (s *Store) Identity() string {
	return strings.Join(append(append([]string{
		string(s.Type), s.LockTTL.String(), s.Address, s.LockAddress, s.UnlockAddress, s.UpdateMethod, s.LockMethod, s.UnlockMethod,
		s.Username, s.Password.identity(), s.Bucket, s.Region, s.Endpoint, strconv.FormatBool(s.PathStyle),
		s.AccessKey.identity(), s.SecretKey.identity(), s.SessionToken.identity(), s.Prefix, s.CA, s.Cert, s.Key, s.Dir,
	}, s.Endpoints...), s.Command...), "\n")
}

// Encryption says for whom a login is encrypted where it is kept (age-encryption.org).
type Encryption struct {
	Recipients []string // public keys
	Identity   *Value   // the secret key that reads the login; nil means that this machine cannot
	Pos        Pos
}

// Key is equal for encryptions with the same recipients and the same identity. Key may
// hold secrets.
func (e *Encryption) Key() string {
	return strings.Join(append([]string{e.Identity.identity()}, e.Recipients...), "\n")
}

// identity is equal for values that are the same: where v comes from, and its text as far
// as that is known.
func (v *Value) identity() string {
	if v == nil {
		return ""
	}
	text, _ := v.Known()
	return v.Pos.String() + " " + v.From() + " " + text
}
