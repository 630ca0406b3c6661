// A certified OAuth server that nobody here wrote, with Spotify's paths, for
// oidc_test.go. It prints one JSON line with its address and ends with its
// standard input, so that it cannot outlive the test.
import http from 'node:http'
import { Provider } from 'oidc-provider'

// Notices of oidc-provider go to stdout, which belongs to the address.
console.info = console.error

const server = http.createServer()
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const url = `http://127.0.0.1:${server.address().port}`

// A loopback redirect URI without a port fits any port only for native
// applications (RFC 8252 section 7.3).
const app = {
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
}

const provider = new Provider(url, {
  clients: [
    { ...app, client_id: 'confidential', client_secret: process.env.OIDC_SECRET, token_endpoint_auth_method: 'client_secret_basic' },
    { ...app, client_id: 'public', token_endpoint_auth_method: 'none' },
    { ...app, client_id: 'restricted', token_endpoint_auth_method: 'none', scope: 'playlist-read-private' },
    {
      client_id: 'machine',
      client_secret: process.env.OIDC_SECRET,
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
    },
  ],
  scopes: ['playlist-read-private', 'user-library-read'], // others are left out of the grant
  routes: { authorization: '/authorize', token: '/api/token', revocation: '/revoke' },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true },
  issueRefreshToken: () => true, // by default only with offline_access, which Spotify does not know
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  ttl: { AccessToken: 1800, ClientCredentials: 1800, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600, AuthorizationCode: 60 },
  cookies: { keys: ['oidc_test.go'] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
})

const requests = [] // what clients asked, in order
const secrets = new Set() // what must never be shown

provider.use(async (ctx, next) => {
  if (ctx.path === '/control') {
    ctx.body = { requests, secrets: [...secrets] }
    return
  }
  await (ctx.path.startsWith('/v1/') ? webAPI(ctx) : next())
  const sent = ctx.oidc?.body ?? ctx.query
  requests.push({
    method: ctx.method,
    path: ctx.path,
    status: ctx.status,
    fields: Object.keys(sent).sort(),
    grant: sent.grant_type,
    basic: /^basic /i.test(ctx.get('authorization')),
  })
  for (const value of [sent.code, sent.code_verifier, sent.refresh_token, ctx.body?.access_token, ctx.body?.refresh_token]) {
    if (value) secrets.add(value)
  }
  if (typeof ctx.body === 'string') {
    // The pages import a font from the Internet, which the test must not touch.
    ctx.body = ctx.body.replace(/@import url\([^)]*\);/, '')
  }
})

// webAPI answers the two requests of Spotify's Web API that tokenform sends.
async function webAPI(ctx) {
  const token = ctx.get('authorization').replace(/^bearer /i, '')
  const user = await provider.AccessToken.find(token)
  const machine = await provider.ClientCredentials.find(token)
  if (ctx.path === '/v1/me' && user) {
    ctx.body = { id: user.accountId, account_id: `account-of-${user.accountId}`, display_name: 'Ada Lovelace' }
  } else if (ctx.path === '/v1/search' && (user || machine)) {
    ctx.body = { tracks: { items: [] } }
  } else {
    ctx.status = 401
    ctx.body = { error: { status: 401, message: 'Invalid access token' } }
  }
}

server.on('request', provider.callback())
process.stdin.on('end', () => process.exit()).resume()
console.log(JSON.stringify({ url }))
