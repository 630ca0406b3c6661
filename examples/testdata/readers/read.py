"""Prints what a reader makes of V in each of the files: a JSON array, with null for a
file that the reader refuses. systemd's is the function behind EnvironmentFile=, in
the library that its programs share."""

import ctypes
import glob
import json
import logging
import sys

import dotenv
import pydantic_settings

logging.disable()


class Settings(pydantic_settings.BaseSettings):
    v: str


def pydantic(path):
    return Settings(_env_file=path).v


def systemd(path):
    lib = ctypes.CDLL(sorted(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"))[-1])
    pairs = ctypes.POINTER(ctypes.c_char_p)()
    if lib.load_env_file(None, path.encode(), ctypes.byref(pairs)) < 0:
        return None
    i = 0
    while pairs and pairs[i]:
        name, _, value = pairs[i].decode().partition("=")
        if name == "V":
            return value
        i += 1
    return None


readers = {
    "python-dotenv": lambda path: dotenv.dotenv_values(path).get("V"),
    "pydantic-settings": pydantic,
    "systemd": systemd,
}


def read(path):
    try:
        return readers[sys.argv[1]](path)
    except Exception:
        return None


print(json.dumps([read(path) for path in sys.argv[2:]]))
