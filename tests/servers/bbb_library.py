"""Recordings as BigBlueButton publishes them: a folder each, below `published`, `unpublished` or `deleted`.

Which files: bigbluebutton/bigbluebutton record-and-playback/presentation/scripts/publish/presentation.rb; who reads
them: bigbluebutton/bbb-playback src/config.js and src/utils/builder.js.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from tests.servers.clips import LANGUAGES, SECONDS, stamp

# All that a front end gave along as meta_… when it made the meeting stands in metadata.xml (presentation.rb writes
# the whole of the events' metadata): also where it wants to be told, with a key of its own.
CALLBACK = "https://cloud.example.org/hook/recording?mac=9f3b1c77d2"

STATES = {"published": "published", "unpublished": "unpublished", "deleted": "deleted", "processing": None}


def _fresh(at: int) -> str:
    """`{sha1}-{milliseconds}`, the form of meeting, recording and presentation ids alike."""
    return f"{hashlib.sha1(secrets.token_bytes(16)).hexdigest()}-{1_700_000_000_000 + at}"


@dataclass
class Recording:
    """`listed`: what Greenlight keeps in `gl-listed`; the server itself makes nothing of it."""

    name: str
    number: int
    state: str = "published"
    listed: bool = False
    spoken: bool = False  # sound alone, in the old place
    id: str = field(default="")
    presentation: str = field(default="")

    def __post_init__(self) -> None:
        self.id = _fresh(self.number)
        self.presentation = _fresh(self.number + 1000)

    @property
    def meeting(self) -> str:
        return f"room-{self.number}"


class Library:
    """`film` and `other` are twins; both open, one of them meant to be unlisted."""

    def __init__(self, root: Path, clips: Path) -> None:
        self.root, self._clips = root, clips
        self.film = Recording("<A> seminar & Ada's more", 1)
        self.other = Recording("Another seminar", 2, listed=True)
        self.spoken = Recording("A talk without pictures", 3, spoken=True)
        self.withdrawn = Recording("A withdrawn seminar", 4, state="unpublished")
        self.deleted = Recording("A deleted seminar", 5, state="deleted")
        self.processing = Recording("A seminar still processed", 6, state="processing")
        self.recordings = [value for value in vars(self).values() if isinstance(value, Recording)]

    def lay(self, base: str) -> None:
        """Write the files. `base`: the server's own name for itself, which stands in metadata.xml."""
        for one in self.recordings:
            if (state := STATES[one.state]) is not None:
                self._lay_presentation(one, self.root / state / "presentation" / one.id, base)
        film = self.film.id
        published = self.root / "published"
        stamp(self._clips / "film.webm", published / "screenshare" / film / "screenshare.webm", film)
        stamp(self._clips / "large.mp4", published / "video" / film / "video-0.mp4", film)
        (published / "video" / film / "index.html").write_text("<!doctype html><video src='video-0.mp4'></video>")
        stamp(self._clips / "large.mp4", published / "podcast" / film / "audio.mp4", film)
        (published / "notes" / film).mkdir(parents=True)
        (published / "notes" / film / "notes.html").write_text(f"<html><body>\nitem:{film}\n</body></html>")
        # a recording's folder in another format whose name begins alike: see fake_bbb_recordings.py
        stamp(self._clips / "large.mp4", published / "presentation_export" / film / "meeting.mp4", film)

    def change(self, one: Recording, state: str) -> None:
        """Publishing and the like moves the folder, so an address that was open is 404 at once."""
        old, one.state = STATES[one.state], state
        new = self.root / str(STATES[state]) / "presentation" / one.id
        new.parent.mkdir(parents=True, exist_ok=True)
        if old is not None:
            (self.root / old / "presentation" / one.id).rename(new)

    def _lay_presentation(self, one: Recording, folder: Path, base: str) -> None:
        item, slides = one.id, f"presentation/{one.presentation}"
        folder.mkdir(parents=True)
        if one.spoken:
            stamp(self._clips / "film.webm", folder / "audio/audio.webm", item)
        else:
            stamp(self._clips / "large.mp4", folder / "video/webcams.mp4", item)
            stamp(self._clips / "film.webm", folder / "video/webcams.webm", item)
            stamp(self._clips / "small.mp4", folder / "deskshare/deskshare.mp4", item)
            stamp(self._clips / "film.webm", folder / "deskshare/deskshare.webm", item)
        for number in (1, 2):
            stamp(self._clips / f"slide-{number}.png", folder / slides / f"slide-{number}.png", item)
            stamp(self._clips / f"slide-{number}.png", folder / slides / f"thumbnails/thumb-{number}.png", item)
            text = folder / slides / f"textfiles/slide-{number}.txt"
            text.parent.mkdir(exist_ok=True)
            text.write_text(f"Slide {number} of {one.name}\n")
        stamp(self._clips / "slide-1.png", folder / "presentation/deskshare.png", item)
        for language in LANGUAGES:
            stamp(self._clips / f"{language}.vtt", folder / f"caption_{language}.vtt", item)
        texts = self._texts(one, slides, base)
        for name, content in texts.items():
            (folder / name).write_text(content)

    def _texts(self, one: Recording, slides: str, base: str) -> dict[str, str]:
        half, start = SECONDS / 2, 1_700_000_000_000 + one.number
        shown = [(1, 0.0, half), (2, half, float(SECONDS))]
        images = "".join(
            f'<image id="image{n}" class="slide" in="{begin}" out="{end}" xlink:href="{slides}/slide-{n}.png" '
            f'width="320" height="240" text="{slides}/textfiles/slide-{n}.txt" style="visibility:hidden"/>'
            for n, begin, end in shown
        )
        drawn = (
            '<g class="canvas" id="canvas1" image="image1" display="none"><g class="shape" id="image1-draw1" '
            'timestamp="1.0" undo="-1" shape="image1-shape1" style="visibility:hidden;fill:none;stroke:#ff0000">'
            '<polyline points="20,20 200,120"/></g></g>'
        )
        said = (
            '<chattimeline in="1" direction="down" name="Ada" message="Good morning" target="chat" '
            'senderRole="VIEWER" chatEmphasizedText="false"/>'
        )
        meta = (
            f"<meetingName>{escape(one.name)}</meetingName><gl-listed>{str(one.listed).lower()}</gl-listed>"
            f"<bbb-origin-server-name>{base.partition('://')[2]}</bbb-origin-server-name>"
            f"<bbb-recording-ready-url>{CALLBACK}</bbb-recording-ready-url><endCallbackUrl>{CALLBACK}</endCallbackUrl>"
        )
        times = f"<start_time>{start}</start_time><end_time>{start + SECONDS * 1000}</end_time>"
        link = f"<link>{base}/playback/presentation/2.3/{one.id}</link><duration>{SECONDS * 1000}</duration>"
        meeting = f'<meeting id="{one.id}" externalId="{one.meeting}" name={quoteattr(one.name)} breakout="false"/>'
        state = f"<state>{one.state}</state><published>{str(one.state == 'published').lower()}</published>"
        names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        cursor, panned = '<event timestamp="1.0"><cursor>0.5 0.5</cursor></event>', "<viewBox>0 0 320 240</viewBox>"
        size = 'video_width="160" video_height="90"'
        shared = "" if one.spoken else f'<event start_timestamp="{half}" stop_timestamp="{half + 2}" {size}/>'
        return {
            "metadata.xml": (
                f"<recording><id>{one.id}</id>{state}{times}<participants>2</participants>{meeting}<meta>{meta}</meta>"
                f"<playback><format>presentation</format>{link}</playback></recording>"
            ),
            "shapes.svg": f'<svg {names} id="svgfile" viewBox="0 0 800 600">{images}{drawn}</svg>',
            "slides_new.xml": f"<popcorn>{said}</popcorn>",
            "cursor.xml": f'<recording id="cursor_events">{cursor}</recording>',
            "panzooms.xml": f'<recording id="panzoom_events"><event timestamp="0.0">{panned}</event></recording>',
            "deskshare.xml": f'<recording id="deskshare_events">{shared}</recording>',
            "presentation_text.json": json.dumps({one.presentation: {f"slide-{n}": f"Slide {n}" for n in (1, 2)}}),
            "captions.json": json.dumps([{"locale": key, "localeName": name} for key, name in LANGUAGES.items()]),
            "polls.json": "[]",
            "external_videos.json": "[]",
            "tldraw.json": "[]",
            "notes.html": f"<!doctype html>\n<html>\n<body>\n<p>Notes, item:{one.id}</p>\n</body>\n</html>\n",
        }
