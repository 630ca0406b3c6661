// Package flow brings tokens to the state that profiles declare: it decides
// (purely), plans, and applies.
//
// The words that the program uses, each with one meaning:
//
//   - A profile is one YAML document. It declares one app's token and the outputs for
//     the token. The user calls the OAuth client an app.
//   - A login is a person's consent in the browser, and the refresh token that
//     comes of it. Spotify ends a login after six months.
//   - A grant is a request to the token endpoint (RFC 6749): authorization code,
//     refresh, or client credentials.
//   - A seed is a refresh token that the profile itself brings.
//   - The state is what tokenform keeps of a profile: a [state.Token]. An entry is
//     the state under its lock. A session is one profile's work under that lock.
//   - A store is where a login is kept if many machines share it (package keeper). A lease
//     is the lock of such a login. A token that a store did not take is kept aside.
//   - A realm is the state of one server; the stand-in of --sandbox has its own.
//   - A forecast is an [Outcome] that was found without the lock. Plan shows it, and
//     apply decides anew under the lock.
//   - To keep leaves the stored token as it is. To store saves a token in state. To
//     adopt stores a token that a client, another program, has written into an output.
//   - An orphan is a profile that is in state and no longer declared.
//   - To take back is to remove what tokenform wrote into an output.
//   - A run is attended if a browser can be opened or an address can be pasted: then a
//     person can log in.
package flow
