"""What the description of the API can't say in JSON Schema, for schemathesis (see test_description)."""

from __future__ import annotations

from typing import Any

import schemathesis

from gateway.links.text import MAX_LENGTH, clean


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Of a name something must be left when spaces, controls and what is not seen are taken out."""
    name = body.get("name") if isinstance(body, dict) else None
    if isinstance(name, str) and 0 < len(name) <= MAX_LENGTH and clean(name) is None:
        return {**body, "name": "x"}
    return body
