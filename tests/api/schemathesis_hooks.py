"""What the description of the API can't say in JSON Schema, for schemathesis (see test_description)."""

from __future__ import annotations

from typing import Any

import schemathesis

from gateway.access.link_fields import parse_moment
from gateway.links.invitation import clean_entry, clean_pin
from gateway.links.text import MAX_LENGTH, clean


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Of a name something must be left when spaces, controls and what is not seen are taken out; an entry is an
    address or a domain; a PIN has no spaces of any script; a start lies before the end, within a lifetime."""
    if not isinstance(body, dict):
        return body
    fits = dict(body)
    name, pin, emails, starts = (body.get(key) for key in ("name", "pin", "emails", "starts_at"))
    if isinstance(name, str) and 0 < len(name) <= MAX_LENGTH and clean(name) is None:
        fits["name"] = "x"
    if isinstance(pin, str) and 4 <= len(pin) <= 64 and clean_pin(pin) is None:
        fits["pin"] = "1234"
    if isinstance(emails, list):
        fits["emails"] = [
            "@example.org" if isinstance(one, str) and 0 < len(one) <= 254 and clean_entry(one) is None else one
            for one in emails
        ]
    if isinstance(starts, str) and parse_moment(starts) is not None:
        fits["starts_at"] = "2026-01-01T00:00:00Z"
    return fits
