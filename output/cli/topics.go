package cli

const longRoot = `tokenform keeps Spotify tokens valid. A YAML profile declares an app's
credentials, scopes and outputs. plan says what is missing, and apply does it: a
first login in the browser, a refresh, or client credentials.`

const examplesRoot = `tokenform init                  # writes a first profile
tokenform apply --sandbox       # tries it, without a Spotify account
tokenform apply                 # logs in once, then refreshes; writes outputs
tokenform status                # how long tokens and logins last`
