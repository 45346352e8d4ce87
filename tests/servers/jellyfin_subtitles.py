"""Text subtitles as Jellyfin gives them out: cut to a window, in the format asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from tests.servers.asked import Refused
from tests.servers.jellyfin_library import TICKS

_TIMES = re.compile(r"(\d+):(\d+):(\d+)\.(\d+) --> (\d+):(\d+):(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Cue:
    start: float
    end: float
    text: str


def read_cues(text: str) -> list[Cue]:
    cues = []
    for block in text.split("\n\n"):
        times, _, said = block.strip().partition("\n")
        found = _TIMES.match(times)
        if found:
            hours = [int(one) for one in found.groups()]
            start, end = (hours[n] * 3600 + hours[n + 1] * 60 + hours[n + 2] + hours[n + 3] / 1000 for n in (0, 4))
            cues.append(Cue(start, end, said))
    return cues


def cut(cues: list[Cue], start: float, end: float | None, *, keep: bool) -> list[Cue]:
    """`MediaBrowser.MediaEncoding/Subtitles/SubtitleEncoder.cs`, FilterEvents: without `keep` from 0 again."""
    inside = [cue for cue in cues if cue.end > start and (end is None or cue.start < end)]
    if keep:
        return inside
    return [replace(cue, start=max(0.0, cue.start - start), end=cue.end - start) for cue in inside]


def write(cues: list[Cue], kind: str, *, time_map: bool) -> tuple[str, str]:
    """The text and its type."""
    if kind == "vtt":
        head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n" if time_map else "WEBVTT\n"
        blocks = [f"{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n" for cue in cues]
        return "\n".join([head, *blocks]), "text/vtt"
    if kind == "srt":
        blocks = [
            f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n"
            for number, cue in enumerate(cues, 1)
        ]
        return "\n".join(blocks), "application/x-subrip"
    if kind in ("js", "json"):
        events = [
            {
                "Id": str(number),
                "Text": cue.text,
                "StartPositionTicks": int(cue.start * TICKS),
                "EndPositionTicks": int(cue.end * TICKS),
            }
            for number, cue in enumerate(cues, 1)
        ]
        return json.dumps({"TrackEvents": events}), "application/json"
    raise Refused(400, "Error processing request.")


def _clock(seconds: float, comma: str = ".") -> str:
    whole, parts = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{comma}{parts:03d}"
