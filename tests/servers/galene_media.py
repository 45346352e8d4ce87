"""Sound and picture of a room, as Galene carries them: one peer connection for each stream and each who looks at it.

From jech/galene: rtpconn/rtpconn.go. Only the server makes offers to those who look, so nobody is sent what they did
not ask for. By aiortc, which packs frames anew where Galene passes packets on; a guest's browser sees no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiortc import (  # type: ignore[import-not-found,unused-ignore]  # of tests/media-servers.lock
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaRelay  # type: ignore[import-not-found,unused-ignore]

RELAY = MediaRelay()


def _connection() -> Any:
    # No helper outside this machine is asked for addresses.
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


@dataclass(eq=False)
class Up:
    """What somebody sends."""

    name: str
    label: str
    pc: Any = field(default_factory=_connection)

    async def answer(self, sdp: str) -> str:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp)

    async def close(self) -> None:
        await self.pc.close()


@dataclass(eq=False)
class Down:
    """What somebody is sent."""

    pc: Any = field(default_factory=_connection)

    async def offer(self, up: Up) -> str:
        for receiver in up.pc.getReceivers():
            self.pc.addTrack(RELAY.subscribe(receiver.track, buffered=False))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def answered(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def close(self) -> None:
        await self.pc.close()
