// Logs in to the Web API with spotify-web-api-node and nothing but our file,
// twice: with the access token, and with one that the refresh token and the
// app's credentials get, which is kept in the file.
import { readFileSync, writeFileSync } from 'node:fs';
import SpotifyWebApi from 'spotify-web-api-node';
import http from 'spotify-web-api-node/src/http-manager.js';

const [file, clientId, server] = process.argv.slice(2);

// The client has Spotify's addresses built in; the stand-in answers for them.
const send = http._makeRequest;
http._makeRequest = (method, options, uri, callback) => {
  const { hostname, pathname } = new URL(uri);
  if (!['api.spotify.com', 'accounts.spotify.com'].includes(hostname)) throw new Error(`a request to ${hostname}`);
  send(method, options, server + pathname, callback);
};

const api = new SpotifyWebApi();
api.setCredentials(JSON.parse(readFileSync(file, 'utf8')));
const login = new URL(api.createAuthorizeURL(['streaming'], 'state')).searchParams;
const user = (await api.getMe()).body.id;
const { body } = await api.refreshAccessToken();
const fresh = body.access_token !== api.getAccessToken();
api.setAccessToken(body.access_token);
console.log(JSON.stringify({
  valid: fresh && login.get('client_id') === clientId && login.get('redirect_uri') === 'http://127.0.0.1/callback',
  user,
  later: (await api.getMe()).body.id,
}));
writeFileSync(file, JSON.stringify(api.getCredentials()));
