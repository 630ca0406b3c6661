// Package sandbox is a stand-in for the Spotify Accounts service and for the
// two Web API calls that tell whether a token is good, on one origin. People
// look at the stand-in in a browser (`tokenform sandbox`), `apply --sandbox` runs
// against it in-process, and tests run against it with the faults of package
// faults.
//
// The stand-in is stricter than Spotify if Spotify's behaviour is not known, so that a
// program that works with the stand-in works with Spotify. The stand-in connects to
// nobody, and every page says that it is not Spotify.
//
// Tokens are sealed claims (see [claims]), so a server stores nothing per token.
// It remembers one entry per login whose code was used or whose refresh token was
// rotated, until that login has expired.
package sandbox
