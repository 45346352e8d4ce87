"""The fake's /bigbluebutton/api: one secret for everything, a checksum over the query.

bigbluebutton/bigbluebutton: docs/docs/development/api.md; bigbluebutton-web/src/main/java/.../api/ParamsUtil.java and
bigbluebutton-web/grails-app/controllers/org/bigbluebutton/web/controllers/RecordingController.groovy
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from aiohttp import web

from tests.servers.bbb_library import Library, Recording
from tests.servers.clips import SECONDS

_HASHES = {40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def signed(call: str, query: str, secret: str, how: str = "sha256") -> str:
    """The query with its checksum: hash(call + query + secret)."""
    said = hashlib.new(how, f"{call}{query}{secret}".encode()).hexdigest()
    return f"{query}&checksum={said}" if query else f"checksum={said}"


def checked(call: str, query: str, secret: str) -> bool:
    found = re.search(r"(?:^|&)checksum=([0-9a-f]+)", query)
    if found is None or len(found[1]) not in _HASHES:
        return False
    rest = re.sub(r"^checksum=[^&]*&?|&checksum=[^&]*", "", query)
    said = hashlib.new(_HASHES[len(found[1])], f"{call}{rest}{secret}".encode()).hexdigest()
    return hmac.compare_digest(said, found[1])


def answer(library: Library, base: str, secret: str, call: str, query: str) -> web.Response:
    """Every answer has status 200; whether it is one stands in `returncode`."""
    if call == "":
        return _xml("<returncode>SUCCESS</returncode><version>2.0</version><apiVersion>2.0</apiVersion>")
    if not checked(call, query, secret):
        return _failed("checksumError", "Checksums do not match")
    params = dict(parse_qsl(query))
    if call == "getRecordings":
        found = _wanted(library, params)
        body = "".join(_recording(one, base) for one in found)
        if not found:
            return _xml(
                "<returncode>SUCCESS</returncode><recordings/><messageKey>noRecordings</messageKey>"
                "<message>There are no recordings for the meeting(s).</message>"
            )
        return _xml(f"<returncode>SUCCESS</returncode><recordings>{body}</recordings>")
    if call in ("publishRecordings", "deleteRecordings"):
        done = "published" if call == "publishRecordings" else "deleted"
        state = "deleted" if done == "deleted" else "published" if params.get("publish") == "true" else "unpublished"
        for one in library.recordings:
            if one.id in params.get("recordID", "").split(","):
                library.change(one, state)
        return _xml(f"<returncode>SUCCESS</returncode><{done}>true</{done}>")
    return _failed("unsupportedRequest", "This request is not supported.")


def _wanted(library: Library, params: dict[str, str]) -> list[Recording]:
    """The beginning of an id is enough, commas part several, unpublished ones come too where nothing is said."""
    ids = [one for one in params.get("recordID", "").split(",") if one]
    meetings = [one for one in params.get("meetingID", "").split(",") if one]
    states = params.get("state", "published,unpublished").split(",")
    found = [
        one
        for one in library.recordings
        if (not ids or any(one.id.startswith(part) for part in ids))
        and (ids or not meetings or one.meeting in meetings)
        and ("any" in states or one.state in states)
        and ("meta_gl-listed" not in params or params["meta_gl-listed"] == str(one.listed).lower())
    ]
    start = int(params.get("offset", "0"))
    return found[start : start + int(params.get("limit", "100"))]


def _recording(one: Recording, base: str) -> str:
    begin = 1_700_000_000_000 + one.number
    picture = f"{base}/presentation/{one.id}/presentation/{one.presentation}/thumbnails/thumb-1.png"
    formats = (
        f"<format><type>presentation</type><url>{base}/playback/presentation/2.3/{one.id}</url>"
        f"<processingTime>900</processingTime><length>0</length><size>100</size><preview><images>"
        f'<image alt="Slide 1" height="136" width="176">{picture}</image></images></preview></format>'
        f"<format><type>video</type><url>{base}/playback/video/{one.id}/</url><length>0</length><size>100</size></format>"
    )
    return (
        f"<recording><recordID>{one.id}</recordID><meetingID>{one.meeting}</meetingID>"
        f"<internalMeetingID>{one.id}</internalMeetingID><name>{escape(one.name)}</name><isBreakout>false</isBreakout>"
        f"<published>{str(one.state == 'published').lower()}</published><state>{one.state}</state>"
        f"<startTime>{begin}</startTime><endTime>{begin + SECONDS * 1000}</endTime><participants>2</participants>"
        f"<metadata><gl-listed>{str(one.listed).lower()}</gl-listed><meetingName>{escape(one.name)}</meetingName></metadata>"
        f"<playback>{formats if one.state == 'published' else ''}</playback></recording>"
    )


def _xml(body: str) -> web.Response:
    return web.Response(text=f"<response>{body}</response>", content_type="text/xml")


def _failed(key: str, message: str) -> web.Response:
    return _xml(f"<returncode>FAILED</returncode><messageKey>{key}</messageKey><message>{message}</message>")
