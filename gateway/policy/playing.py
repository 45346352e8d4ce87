"""As what the player page plays an address, by the ending of its path.

Why a module: a policy that names a whole address (`player: {src: "{hls}"}`) does not know the ending; the page does.
"""

from __future__ import annotations

SORTS = ("hls", "dash", "flv", "file", "whep", "livekit")

_ENDINGS = {".m3u8": "hls", ".mpd": "dash", ".flv": "flv"}
_ENDINGS |= dict.fromkeys((".mp4", ".m4v", ".webm"), "file")
_ENDINGS |= dict.fromkeys((".mp3", ".m4a", ".weba", ".ogg", ".oga", ".opus", ".flac", ".aac", ".wav"), "file")


def room_asks(src: str) -> str:
    """What the page asks below the address of a LiveKit server, to see whether a rule lets it."""
    path, mark, query = src.partition("?")
    return f"{path}/v1?{query}{'&' if mark else ''}access_token=guest&join_request=AA"


def sort_of(address: str) -> str | None:
    """hls, dash, flv or file; None where the ending does not tell."""
    path = address.partition("?")[0].lower()
    return next((sort for ending, sort in _ENDINGS.items() if path.endswith(ending)), None)
