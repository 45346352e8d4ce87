"""A request whose cookies do not fit: what to say so that the browser gets out of it.

A script of the media server can set more cookies for the guests' host than any head may hold. From then
on every request of that browser is refused before anybody has read it, the guest link too, and the
guest can't help it. So the refusal tells the browser to forget its cookies.

Rule: only where the Cookie header itself is what is too long. A link of another site with an endless
address must not make anybody lose their session. Browsers forget the cookies of the whole site, sibling
hosts included; whoever can set that many could push those out already.
"""

from __future__ import annotations

from gateway.web.turned_away import KEPT_APART

ROOM = 4_096  # bytes of a head before its cookies; browsers send less than two kilobytes

_TEXT = b"This browser sent more cookies than fit in a request. They have been removed: please open the page again.\n"
FORGET_COOKIES = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
    b'Clear-Site-Data: "cookies"\r\nCache-Control: no-store\r\nServer: gateway\r\n'
    + KEPT_APART
    + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


def cookies_too_long(head: bytes, limit: int) -> bool:
    """Whether the Cookie header in this beginning of a head has more than `limit` bytes."""
    before, name, value = head.partition(b"\r\n\r\n")[0].lower().partition(b"\r\ncookie:")
    return bool(name) and len(before) <= ROOM and len(value.partition(b"\r\n")[0]) > limit
