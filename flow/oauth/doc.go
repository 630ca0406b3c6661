// Package oauth is the wire between tokenform and the Spotify Accounts service:
// the authorize URL, the three grants, the two questions to the Web API, and the
// listener that the browser comes back to.
//
// Its rules:
//   - A [Token] is as the server sent it: it has no absolute time.
//   - A failure is an [Error]: one line, fit for a terminal, without a secret
//     even if the server echoes one. No error of x/oauth2 or net/http is
//     passed on, because theirs quote bodies and URLs.
//   - No redirect is followed, and nothing goes over plain http except to a
//     loopback IP.
package oauth
