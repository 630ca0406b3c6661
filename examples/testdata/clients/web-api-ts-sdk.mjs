// Logs in to the Web API with @spotify/web-api-ts-sdk and nothing but our file,
// twice: with the access token, and, once that is over, with one that the refresh
// token gets, which is kept in the file.
import { readFileSync, writeFileSync } from 'node:fs';
import { SpotifyApi } from '@spotify/web-api-ts-sdk';

const [file, clientId, server] = process.argv.slice(2);

// The SDK has Spotify's addresses built in; the stand-in answers for them.
const send = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const { hostname, pathname, search } = new URL(url);
  if (!['api.spotify.com', 'accounts.spotify.com'].includes(hostname)) throw new Error(`a request to ${hostname}`);
  return send(server + pathname + search, init);
};

const read = () => JSON.parse(readFileSync(file, 'utf8'));
const login = (token) => SpotifyApi.withAccessToken(clientId, token);
const user = async (api) => (await api.currentUser.profile()).id;

const { access_token, expires } = await login(read()).getAccessToken();
const over = login({ ...read(), access_token: 'over', expires: 1 });
const answer = { user: await user(login(read())), later: await user(over) };
const fresh = await over.getAccessToken();
writeFileSync(file, JSON.stringify(fresh));
console.log(JSON.stringify({
  valid: expires > Date.now() && expires <= Date.now() + 3600_000 && ![access_token, 'over'].includes(fresh.access_token),
  ...answer,
}));
