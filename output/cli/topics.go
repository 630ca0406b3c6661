package cli

const longRoot = `tokenform keeps Spotify tokens valid. A YAML profile declares an app's
credentials, scopes and outputs; plan says what is missing, apply does it: a
first login in the browser, a refresh, or client credentials.

  tokenform apply                 the profile in tokenform.yaml
  tokenform apply --sandbox FILE  try it without a Spotify account`

// topic is a text that belongs to no command.
type topic struct{ name, short, long string }

var topics = [...]topic{
	{"profiles", "what stands in a profile", topicProfiles},
	{"exit-codes", "what exit codes mean", topicExitCodes},
	{"environment", "which variables are read", topicEnvironment},
	{"state", "what is kept, and what may be overwritten or deleted", topicState},
}

const topicProfiles = `A profile is one YAML document. Only client.id must be there, and what it is
for. Relative paths are relative to the profile's file.

  profile: dev                       # default: the file's base name
  moved_from: old                    # the name that the profile had before
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
  refresh_token: ${SPOTIFY_REFRESH_TOKEN:-}   # a seed where nobody can log in:
                                     # what token --format seed prints elsewhere
  authorized_at: 2026-11-23          # when the login of a bare refresh token was made
  env_file: [.env]                   # more variables for ${...}
  verify: false                      # check each new token at the Web API
  account: 21abc                     # only this account may log in
  listen: 0.0.0.0:8888               # bind here (containers)
  state: .tokenform                  # where tokens are kept
  notify:                            # who is told, by a command (JSON on its input)
    - {on: [login_ending, login_needed], command: [notify-send, tokenform]}
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
  TOKENFORM_FILE          the profiles, if no FILE is named
  TOKENFORM_PROFILE       which of them, if there is no -p
  TOKENFORM_ACCOUNTS_URL  instead of https://accounts.spotify.com
  TOKENFORM_API_URL       instead of https://api.spotify.com
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR

The two URLs must be https, or http on a loopback IP address. Profiles can use
any variable as ${NAME}.`

const topicState = `Beside each profile, in .tokenform (state: or --state elsewhere):

  NAME.json      the login: server, app, account, tokens. Private (0600).
  NAME.outputs   what tokenform wrote on this machine, as digests
  NAME.told      what people were told, by notify
  log.jsonl      which run did what (tokenform log); bounded
  NAME.lock      who is at work; free as soon as that process ends

A login is of a server, an app and an account: another server, as
TOKENFORM_ACCOUNTS_URL names one, has NAME@HOST.json, and a refresh token goes to
no other server than the one that gave it. An entry is of the file that declares
the profile: another file that declares the same name is refused.

What may be overwritten or deleted:

  made by tokenform, unchanged since   updated, and deleted when no longer declared
  made by tokenform, changed since     updated, never deleted
  a refresh token that tokenform never
  had, in a file that was its own      never overwritten
  an env file                          only tokenform's own variables are touched
  another whole file                   refused; a token file of the output's own
                                       format is kept as NAME.before
  the target of a link                 updated and emptied, never deleted
  another user's env file              rewritten in place, with a warning
  another user's whole file            refused

Files are compared as files, whatever their paths. A project that is moved or
copied takes along what was written in it, and leaves alone what is outside.
A state directory holds nothing else: one with other files in it is refused.

A token is on the disk before anybody sees it: fsync(2) of the file and of its
directory, on macOS fcntl F_FULLFSYNC, which empties the drive's cache as well; on
Windows FlushFileBuffers of the file alone, as directories cannot be flushed.

On Windows files have no mode. What tokenform makes there has an access list for
this user, the system and administrators, also outside the user's own folder;
what is there already keeps its list. FAT and exFAT keep no lists: everybody who
can use the machine can read such a drive.`
