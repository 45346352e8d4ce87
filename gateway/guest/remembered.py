"""The cookie in which a guest's own device keeps name and e-mail address for the next entry form.

Rule: only who ticks it is remembered, never on a device that was said to be somebody else's, and only
here: the gateway keeps nothing of it, and nobody but the gateway can read it. It is renewed each time it
is used, is gone 90 days after that, and goes when the guest leaves, unticks it or presses "forget".

Why a cookie and not the page's own storage (localStorage): the media server's pages run scripts on this
very host, and they read all of that. They can neither read this (HttpOnly, and encrypted besides) nor the
form that it fills: it is shown to navigations alone, in no frame, and to no window that they hold
(COOP). It also works without JavaScript. The browser's own memory of forms is offered beside it.

Why for the whole host and not for the links' path alone: only with `Path=/` browsers hold it to `__Host-`,
so that no sibling host can plant somebody else's name there, and with `__Host-Http-`, where they know it,
no script either. A path keeps no secret anyway: a page of the same host can ask for any.

Why unticked at first: keeping something on a device that the visit does not need is for its owner to ask.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.fernet import InvalidToken, MultiFernet

from gateway.config import Origin
from gateway.links.text import clean, clean_address

KEPT = 90 * 86_400  # seconds
_MAX_LENGTH = 2_048
_GONE = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def remembered_cookie_name(public: Origin) -> str:
    return "__Host-Http-gateway-guest" if public.secure else "gateway-guest"


@dataclass(frozen=True, slots=True)
class Remembered:
    """`clock` in milliseconds since 1970."""

    fernets: MultiFernet = field(repr=False)
    clock: Callable[[], int]

    def read(self, request: web.BaseRequest, public: Origin) -> tuple[str, str] | None:
        """Name and address that this device has told; None where there are none, or they are not ours."""
        name, found = remembered_cookie_name(public), []
        for header in request.headers.getall("Cookie", []):
            for pair in header.split(";"):
                key, equals, value = pair.strip(" \t").partition("=")
                if equals and key == name:
                    found.append(value)
        if len(found) != 1 or len(found[0]) > _MAX_LENGTH:
            return None
        try:
            padded = found[0] + "=" * (-len(found[0]) % 4)
            said = json.loads(self.fernets.decrypt_at_time(padded.encode(), KEPT, self.clock() // 1000))
            return str(said["name"]), str(said["email"])
        except (InvalidToken, ValueError, TypeError, KeyError):
            return None

    def write(self, response: web.StreamResponse, name: str, email: str, public: Origin) -> None:
        """Keep them on this device, as they were let in."""
        kept_name, kept_email = clean(name), clean_address(email)
        if kept_name is None or kept_email is None:
            return
        now = self.clock() // 1000
        said = json.dumps({"name": kept_name, "email": kept_email}, ensure_ascii=False).encode()
        # Without base64's padding: some clients put a value that holds `=` in quotes.
        value = self.fernets.encrypt_at_time(said, now).decode().rstrip("=")
        until = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now + KEPT))
        _set(response, value, f"Max-Age={KEPT}; Expires={until}", public)


def forget(response: web.StreamResponse, public: Origin) -> None:
    """Whether there is one or not."""
    _set(response, "", _GONE, public)


def _set(response: web.StreamResponse, value: str, until: str, public: Origin) -> None:
    secure = "; Secure" if public.secure else ""
    line = f"{remembered_cookie_name(public)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}; {until}"
    response.headers.add("Set-Cookie", line)
