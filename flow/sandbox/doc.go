// Package sandbox is a stand-in for the Spotify Accounts service and for the
// two Web API calls that tell whether a token is good, on one origin. People
// look at it in a browser (`tokenform sandbox`), `apply --sandbox` runs against
// it in-process, and it is the server of the tests, with faults as switches.
//
// It is stricter than Spotify wherever Spotify's behaviour is not known: what
// works here should work there. It never talks to anyone, and every page says
// that it is not Spotify.
//
// Tokens are sealed claims (see [claims]), so a server keeps nothing per token;
// what it remembers is one entry per login whose code was used or whose refresh
// token was rotated, and even that only until it has expired.
package sandbox
