"""Sound, picture and data of a LiveKit room: one peer connection for each participant, to which they make the offers.

From livekit/livekit: pkg/rtc/transport.go, pkg/rtc/participant_sdp.go. What somebody is to see is put into a media
section of their own offer; where there are too few the server asks for more. By aiortc, which packs frames anew where
LiveKit passes packets on; a browser sees no difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import (  # type: ignore[import-not-found,unused-ignore]  # of tests/media-servers.lock
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.contrib.media import MediaRelay  # type: ignore[import-not-found,unused-ignore]
from aiortc.sdp import candidate_from_sdp  # type: ignore[import-not-found,unused-ignore]
from av import VideoFrame  # type: ignore[import-not-found,unused-ignore]

RELAY = MediaRelay()


class Picture(VideoStreamTrack):  # type: ignore[misc,unused-ignore]
    """A small grey one that changes all the time."""

    async def recv(self) -> Any:
        pts, base = await self.next_timestamp()
        frame = VideoFrame(160, 90, "yuv420p")
        for number, plane in enumerate(frame.planes):
            plane.update(bytes([(pts // 900) % 256 if number == 0 else 128]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, Fraction(base)
        return frame


class Line:
    """`heard`: each piece of data that comes. `sends`: each track that comes, by its id in the offer."""

    def __init__(self, heard: Callable[[bytes], None], sends: Callable[[Any], None]) -> None:
        # No helper outside this machine is asked for addresses.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel: Any = None
        self._kept: list[bytes] = []
        self._names: dict[str, str] = {}  # of what is shown: the sid by the section's mid
        self._waiting: list[tuple[str, str, Any]] = []

        @self.pc.on("datachannel")  # type: ignore[misc,unused-ignore]
        def opened(channel: Any) -> None:
            channel.on("message", lambda data: heard(data if isinstance(data, bytes) else data.encode()))
            if channel.label == "_reliable":
                self.channel = channel
                for data in self._kept:
                    channel.send(data)
                self._kept.clear()

        self.pc.on("track", sends)

    def show(self, person: str, sid: str, track: Any) -> None:
        """With the next answer."""
        self._waiting.append((person, sid, track))

    async def answer(self, sdp: str) -> tuple[str, dict[str, str]]:
        """And which section shows which track."""
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for person, sid, track in self._waiting:
            sender = self.pc.addTrack(RELAY.subscribe(track, buffered=False))
            sender._stream_id, sender._track_id = f"{person}|{sid}", sid
            (mid,) = [one.mid for one in self.pc.getTransceivers() if one.sender is sender]
            self._names[mid] = sid
        self._waiting.clear()
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp), dict(self._names)

    async def trickled(self, said: str) -> None:
        found = json.loads(said)
        if found.get("candidate"):
            candidate = candidate_from_sdp(found["candidate"].partition(":")[2])
            candidate.sdpMid, candidate.sdpMLineIndex = found.get("sdpMid"), found.get("sdpMLineIndex")
            await self.pc.addIceCandidate(candidate)

    def say(self, data: bytes) -> None:
        if self.channel is None:
            self._kept.append(data)
        elif self.channel.readyState == "open":
            self.channel.send(data)

    async def close(self) -> None:
        await self.pc.close()
