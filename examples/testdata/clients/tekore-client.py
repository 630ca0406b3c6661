"""Logs in to the Web API with tekore and nothing but our file, which has no access
token: tekore gets one with the refresh token, and another one, and keeps the
refresh token in the file."""

import json
import os
import sys
import warnings

import tekore

file, client_id, server = sys.argv[1:]
warnings.simplefilter("error", tekore.MissingConfigurationWarning)


class StandIn(tekore.SyncSender):
    """The client has Spotify's addresses built in; the stand-in answers for them."""

    def send(self, request):
        for known in ("https://api.spotify.com", "https://accounts.spotify.com"):
            request.url = request.url.replace(known, server)
        if not request.url.startswith(server):
            raise RuntimeError("a request to " + request.url)
        return super().send(request)


def user(token):
    return tekore.Spotify(token, sender=StandIn()).current_user().id


conf = tekore.config_from_file(file, return_refresh=True)
cred = tekore.RefreshingCredentials(*conf[:3], sender=StandIn())
first = cred.refresh_user_token(conf[3])
later = cred.refresh_user_token(first.refresh_token)
valid = conf[:3] == (client_id, os.environ["CLIENT_SECRET"], "http://127.0.0.1/callback")
print(json.dumps({"valid": valid and first.access_token != later.access_token, "user": user(first), "later": user(later)}))
tekore.config_to_file(file, (*conf[:3], later.refresh_token))
