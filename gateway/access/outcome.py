"""What a use case answers when somebody is refused: a value, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class Denied:
    """`detail` is for the log; `errors` maps a field of a form to the key of the text shown beside it."""

    reason: Reason
    detail: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
