"""Logs in to the Web API with spotipy and nothing but our file, twice: with the
access token, and, once that is over, with one that spotipy gets and keeps in the
file by itself."""

import json
import os
import sys
import time

import spotipy

file, client_id, server = sys.argv[1:]

cache = spotipy.CacheFileHandler(cache_path=file)
spotipy.SpotifyOAuth.OAUTH_TOKEN_URL = server + "/api/token"
auth = spotipy.SpotifyOAuth(
    client_id=client_id,
    client_secret=os.environ["CLIENT_SECRET"],
    redirect_uri="http://127.0.0.1/callback",
    scope="user-read-email streaming",
    cache_handler=cache,
    open_browser=False,
)
api = spotipy.Spotify(auth_manager=auth, retries=0)
api.prefix = server + "/v1/"

token = cache.get_cached_token()
valid = auth.validate_token(token) == token and time.time() < token["expires_at"] <= time.time() + 3600
user = api.me()["id"]
time.sleep(1)  # the file has whole seconds, and only a token that ends later is a newer one
cache.save_token_to_cache({**token, "expires_at": 1})
later = api.me()["id"]
fresh = cache.get_cached_token()["access_token"] != token["access_token"]
print(json.dumps({"valid": valid and fresh, "user": user, "later": later}))
