"""What the description of the API can't say in JSON Schema, for schemathesis (see test_description)."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies

from gateway.access.link_fields import parse_moment
from gateway.links.invitation import clean_pin
from gateway.links.text import MAX_LENGTH, clean

schemathesis.openapi.format(
    "address-or-domain", strategies.sampled_from(["anna@example.org", "@example.org", "club.example", "ünï@bücher.de"])
)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Of a name something must be left when spaces, controls and what is not seen are taken out; a PIN has no spaces
    of any script; a start lies before the end, within a lifetime."""
    if not isinstance(body, dict):
        return body
    fits = dict(body)
    name, pin, starts = (body.get(key) for key in ("name", "pin", "starts_at"))
    if isinstance(name, str) and 0 < len(name) <= MAX_LENGTH and clean(name) is None:
        fits["name"] = "x"
    if isinstance(pin, str) and 4 <= len(pin) <= 64 and clean_pin(pin) is None:
        fits["pin"] = "1234"
    if isinstance(starts, str) and parse_moment(starts) is not None:
        fits["starts_at"] = "2026-01-01T00:00:00Z"
    return fits


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:
    """Bodies that were not drawn but counted out, one for each limit, come past here alone."""
    case.body = map_body(context, case.body)
