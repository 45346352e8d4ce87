"""Records of earlier versions, brought to the schema that this version knows.

Rule: a version reads what every earlier one wrote, and refuses what a later one did. So that an older one
need not refuse without cause, the number rises only where it would misread a record: a field that may
be missing is added without one, and no field ever changes its meaning.

Whoever raises `SCHEMA` adds the step from the number before to `STEPS`, and a fixture of records as they
were to tests/store/schemas; what those hold is read by every version from then on. Records are brought up
as they are read; the scripts, which set fields by name, must do with both forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.errors import StoreDown
from gateway.links.records import SCHEMA

Step = Callable[[str, dict[str, str]], dict[str, str]]
"""Kind of record (item, link, guest, grant) and its hash, to its hash one schema later."""


def _options(kind: str, found: dict[str, str]) -> dict[str, str]:
    """Links may have a start, seats, a PIN and a list of addresses: a version that does not know them would let
    in whom they keep out. Records from before have none of them."""
    return found


STEPS: Mapping[int, Step] = {1: _options}
"""By the schema a step starts from."""


def upgraded(kind: str, found: Mapping[str, str], *, steps: Mapping[int, Step] | None = None) -> dict[str, str]:
    """The record as this version writes it. A record without a version or of a later one stays as it is:
    whoever reads it refuses it. Raises StoreDown for a version that never was."""
    chain = STEPS if steps is None else steps
    texts = dict(found)
    version = texts.get("v", "")
    if not version.isdecimal():
        return texts
    for number in range(int(version), SCHEMA if steps is None else max(steps, default=0) + 1):
        if number not in chain:
            raise StoreDown(f"a {kind} claims schema {number}, which no version has written")
        texts = {**chain[number](kind, texts), "v": str(number + 1)}
    return texts
