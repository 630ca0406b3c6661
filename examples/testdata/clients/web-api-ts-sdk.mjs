// Logs in to the Web API with @spotify/web-api-ts-sdk and nothing but our file,
// twice: with the access token, and, once that is over, with the refresh token.
import { readFileSync } from 'node:fs';
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
const user = async (token) => (await SpotifyApi.withAccessToken(clientId, token).currentUser.profile()).id;

const { expires } = await SpotifyApi.withAccessToken(clientId, read()).getAccessToken();
console.log(JSON.stringify({
  valid: expires > Date.now() && expires <= Date.now() + 3600_000,
  user: await user(read()),
  later: await user({ ...read(), access_token: 'over', expires: 1 }),
}));
