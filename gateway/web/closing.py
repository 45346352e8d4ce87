"""Taking no new connections without losing one.

Why: the kernel finishes handshakes and queues connections by itself. Who closes a listening socket resets
those that wait in its queue, though their clients were told that they are connected. So new handshakes
are turned away first; those under way come through and are answered; then the queue is empty for good.

A client whose SYN is not answered tries again after a second, and then finds the port closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

GRACE_SECONDS = 0.4  # for handshakes under way, and for clients to hear that their connection ends

_SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header: a segment with SYN is dropped, all else passes.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def turn_away(listening: socket.socket) -> None:
    """From now on no new handshake begins (Linux; elsewhere the window stays, a few microseconds wide)."""
    if sys.platform != "linux" or listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_SYN))
    with contextlib.suppress(OSError):  # a sandbox without filters
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_NO_SYN), ctypes.addressof(program))
        )
