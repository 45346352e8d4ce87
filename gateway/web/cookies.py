"""The gateway's own cookies for guests: how one is written, and how one is found among what a browser sent.

Rule: every attribute stands in every line, deletions too: browsers keep a `__Host-` cookie that is deleted
without `Secure`, and a partitioned one that is deleted without `Partitioned`. Two cookies of one name are
somebody's trick, and count as none.

Why by hand: `Partitioned` is a word that the standard library's cookies know from Python 3.14 on only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

DELETED = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def cookie_line(name: str, value: str, *, secure: bool, framed: bool = False, max_age: int | None = None) -> str:
    """A Set-Cookie line; with an empty value it deletes. `max_age` in seconds, None lets the cookie end with the
    browser. `framed`: for a page in another site's frame, and for frames of that site alone."""
    line = f"{name}={value}; Path=/; HttpOnly; "
    if framed:
        line += "SameSite=None; Secure; Partitioned"
    else:
        line += "SameSite=Lax; Secure" if secure else "SameSite=Lax"
    if not value:
        line += f"; {DELETED}"
    elif max_age is not None:
        expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + max_age))
        line += f"; Max-Age={max_age}; Expires={expires}"
    return line


def sent_cookie(lines: Iterable[str], name: str) -> str | None:
    """The value, if these Cookie headers hold exactly one of that name."""
    found = None
    for line in lines:
        if name not in line:
            continue
        for pair in line.split(";"):
            key, equals, value = pair.strip(" \t").partition("=")
            if equals and key == name:
                if found is not None:
                    return None
                found = value
    return found
