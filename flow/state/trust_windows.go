package state

// trust accepts every directory: access is inherited from the user's folder, and no
// permission bits tell who else has access.
func (s *Store) trust() error { return nil }

func notMine(string) string { return "" }

const unfollowed = 0
