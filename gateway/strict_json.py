"""JSON that everybody reads alike: what is read in two ways by two parsers is none.

A key twice, NaN, a number beyond all bounds, half a surrogate pair, a byte order mark, bytes that are no UTF-8.
"""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any


class Misfit(Exception):
    """The text is not what it should be; says why, for the log, without a stranger's words."""


def parse_json(data: bytes | str) -> Any:
    """A text with one reading. Raises Misfit."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise Misfit("a byte order mark")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except RecursionError as error:
        raise Misfit("nested too deep") from error
    except ValueError as error:
        raise Misfit("no JSON") from error


def folded_key(name: str) -> str:
    """A key as the most careless reader would look it up: to Java, a Turkish i without or with its dot is an i."""
    plain = name.replace("\u0131", "i").replace("\u0130", "i")
    return unicodedata.normalize("NFKC", plain).casefold().strip()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Misfit("a field twice")
    return found


def _constant(name: str) -> Any:
    raise Misfit(f"{name} is no JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Misfit("a number beyond all bounds")
    return number


def to_json(value: Any) -> bytes:
    """Raises Misfit for what can't be written so that everybody reads the same."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Misfit("can't be written as JSON") from error
