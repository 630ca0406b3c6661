package config

const longRoot = `tokenform keeps Spotify tokens valid. A YAML profile declares an app's
credentials, scopes and outputs; plan says what is missing, apply does it: a
first login in the browser, a refresh, or client credentials.

  tokenform apply                 the profile in tokenform.yaml
  tokenform apply --sandbox FILE  try it without a Spotify account`

const longInit = `Writes a commented profile to FILE, by default tokenform.yaml, and never over a
file that is there; - is standard output. On a terminal it asks for the client
id and the scopes; elsewhere the profile reads the client id from
SPOTIFY_CLIENT_ID.`

const longSchema = `Prints the JSON Schema (2020-12) of a profile, for editors, or with "output" that
of what --json prints. Of the latter, version 1 is only ever added to.

  tokenform schema > profile.schema.json`

const longValidate = `Checks profiles without network and without running any command. Everything
that is wrong is reported at once, as file:line:column.`

const longPlan = `Says what apply would do now, from state and outputs as they are. It changes
nothing, takes no lock and needs no network unless --verify is given.`

const longApply = `Brings the token of every profile to a valid state, with whatever grant that
takes, stores it, and writes the outputs that differ. A second apply does
nothing.

Without FILE it reads tokenform.yaml in the current directory; a directory
stands for its *.yaml and *.yml files, - for standard input.

A profile that was taken out of its file stays in state until --prune, or
destroy -p NAME, deletes its token and takes its outputs back.`

const longStatus = `Shows for each profile how long its access token is valid and how long its
login lasts, as far as that is known. It needs no network unless --verify is
given.`

const longToken = `Brings one profile to a valid state, as apply does, and prints its token. It
writes no outputs.

  curl -H "Authorization: Bearer $(tokenform token)" https://api.spotify.com/v1/me`

const longExec = `Brings the profiles to a valid state, as apply does, and then runs COMMAND with
the tokens in its environment, under the variables that the profiles' env
outputs name; a profile without any gives SPOTIFY_ACCESS_TOKEN and
SPOTIFY_TOKEN_EXPIRES_AT. No outputs are written. The exit code is COMMAND's;
127 where there is no such command.

  tokenform exec -- node index.js`

const longWatch = `Applies the profiles now and again whenever a token is about to expire, until it
is stopped with Ctrl-C or SIGTERM. Passing trouble is tried again with growing
pauses. Changed profiles are read anew, at once on SIGHUP. Each thing done is one
line on standard error, or with --json one object a line on standard output.`

const longImport = `Stores a refresh token for one profile: the one on standard input, or the one in
the token file of another Spotify client. It is tried with one refresh first.
When the login was made is not known then, so the warning before it ends is not
given. A profile that has a login keeps it: destroy that first.

  tokenform import < refresh-token.txt
  tokenform import --from ~/.cache/spotify-player/user_client_token.json`

const longDestroy = `Deletes the state of the profiles and takes back the outputs that tokenform
wrote: JSON files that are as it left them, and its own variables in env files.
The app stays allowed at Spotify: https://www.spotify.com/account/apps/`

const longSandbox = `Runs a stand-in for Spotify's login and token service on a loopback port, to
try profiles and to test programs against. Any client id, secret and redirect
URI that Spotify would take will do. It ends with Ctrl-C.`

// topic is a text that belongs to no command.
type topic struct{ name, short, long string }

func topics() []topic {
	return []topic{
		{"profiles", "what stands in a profile", topicProfiles},
		{"exit-codes", "what exit codes mean", topicExitCodes},
		{"environment", "which variables are read", topicEnvironment},
	}
}

const topicProfiles = `A profile is one YAML document. Only client.id must be there, and what it is
for. Relative paths are relative to the profile's file.

  profile: dev                       # default: the file's base name
  client:
    id: ${SPOTIFY_CLIENT_ID}
    secret: ${SPOTIFY_CLIENT_SECRET} # leave out for a public client (PKCE)
  grant: authorization_code          # or pkce, client_credentials
  scopes: [playlist-read-private]
  redirect_uri: http://127.0.0.1:8888/callback
  show_dialog: false
  min_ttl: 5m                        # refresh with less than this left
  login_lifetime: 180d               # Spotify ends a login at six months
  login_warning: 14d
  refresh_token: ${SPOTIFY_REFRESH_TOKEN:-}   # a seed where nobody can log in
  env_file: [.env]                   # more variables for ${...}
  verify: false                      # check each new token at the Web API
  account: 21abc                     # only this account may log in
  listen: 0.0.0.0:8888               # bind here (containers)
  state: .tokenform                  # where tokens are kept
  outputs:
    - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}
    - {type: json, path: token.json}
    - {type: stdout, format: export}

${NAME}, ${NAME:-default}, ${NAME:?message} and $$ work in every string value.
client.id, client.secret and refresh_token also take {env: NAME}, {file: PATH}
or {command: [PROGRAM, ARGUMENT, ...]}, which are asked only when needed.`

const topicExitCodes = `  0    done
  1    failed
  2    plan --detailed-exitcode: apply would change something
  3    the command line or a profile is wrong
  4    a person must log in
  5    passing trouble (network, 429, 5xx, a lock): try again later
  130  interrupted

Where several profiles fail, the first of 3, 4, 1, 5 that occurs.`

const topicEnvironment = `  BROWSER                 program that opens the login page
  GITHUB_ACTIONS          true: warnings are annotations, too
  CI                      set: nobody is asked to log in (--login auto)
  NO_COLOR                set: no colours (--color auto)
  TOKENFORM_ACCOUNTS_URL  instead of https://accounts.spotify.com
  TOKENFORM_API_URL       instead of https://api.spotify.com
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR

The two URLs must be https, or http on a loopback IP address. Profiles can use
any variable as ${NAME}.`
