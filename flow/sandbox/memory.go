package sandbox

import "time"

// past is what happened to a login after its tokens were sealed.
type past struct {
	spent bool      // the code was used
	turn  uint64    // refresh tokens of a lower turn are revoked
	until time.Time // the server may forget all of this at this time
}

// pair is an app and a user. A user's consents to one app add up.
type pair struct{ client, user string }

func (c claims) pair() pair { return pair{c.Client, c.User.ID} }

// removal is the moment at which a user removed an app. For this server's own logins
// the serial decides which came first, because a test's clock may stand still. For
// another server's logins the time decides.
type removal struct {
	serial uint64
	at     time.Time
}

func (m removal) hits(s *Server, c claims) bool {
	if c.Login.Server == s.start {
		return c.Login.Serial <= m.serial
	}
	return !time.UnixMilli(c.Consent).After(m.at)
}

// Revoke removes the app that a refresh token belongs to from the user's
// account: all its refresh tokens are revoked, and the next login asks again. Any
// other text changes nothing.
func (s *Server) Revoke(refreshToken string) {
	c, ok := s.open(aRefresh, refreshToken)
	if !ok {
		return
	}
	now := s.opt.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed[c.pair()] = removal{s.serial, now}
	delete(s.granted, c.pair())
}

// RevokeAll removes every app from every account.
func (s *Server) RevokeAll() {
	now := s.opt.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emptied = removal{s.serial, now}
	clear(s.granted)
}

// revoked reports whether a removal hits c. The caller must hold s.mu.
func (s *Server) revoked(c claims) bool {
	return s.emptied.hits(s, c) || s.removed[c.pair()].hits(s, c)
}

// past returns what is remembered of a login, and remembers it at least until the
// given time. The caller must hold s.mu.
func (s *Server) past(l login, now, until time.Time) *past {
	p := s.logins[l]
	if p == nil {
		if len(s.logins) >= s.sweepAt {
			for old, q := range s.logins {
				if !now.Before(q.until) {
					delete(s.logins, old)
				}
			}
			s.sweepAt = max(1024, 2*len(s.logins))
		}
		p = &past{}
		s.logins[l] = p
	}
	if until.After(p.until) {
		p.until = until
	}
	return p
}

// spend uses up a code. Only the first of many exchanges at once succeeds.
func (s *Server) spend(code claims, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked(code) {
		return false
	}
	p := s.past(code.Login, now, time.UnixMilli(code.Expires))
	if p.spent {
		return false
	}
	p.spent = true
	return true
}

// turn reports whether a refresh token is good. With rotate it revokes the token under
// the same lock, so that only one of many refreshes at once succeeds.
func (s *Server) turn(refresh claims, now time.Time, rotate bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked(refresh) {
		return false
	}
	if p := s.logins[refresh.Login]; p != nil && refresh.Turn < p.turn {
		return false
	}
	if rotate {
		s.past(refresh.Login, now, s.loginEnds(refresh)).turn = refresh.Turn + 1
	}
	return true
}
