"""Examples of a proposal: what was played must pass; the second item must not, nor what has opened doors before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from gateway.policy.har import Recorded, shown


def example_lines(item: str, other: str, kind: str, kept: Sequence[Recorded], theirs: Sequence[Recorded]) -> list[str]:
    """`other`: the id of another item. What may hold a secret, or what config would fill, is no example."""
    allow = dict.fromkeys(f"{one.method} {one.target}" for one in kept if not _unfit(one.target, (item, other)))
    lines = ["", "examples:", f"  with: {{id: {quoted(item)}, kind: {kind}}}"]
    lines += ["  allow:", *(f"    - {quoted(text)}" for text in list(allow)[:12])]
    lines += ["  deny:", *(f"    - {quoted(text)}" for text in _denied(item, other, kept, theirs) if text not in allow)]
    return lines


def _denied(item: str, other: str, kept: Sequence[Recorded], theirs: Sequence[Recorded]) -> list[str]:
    found: dict[str, None] = {}
    for request in theirs:
        if not _unfit(request.target, (item, other)):
            found[f"{request.method} {request.target}"] = None
    found = dict.fromkeys(list(found)[:10])
    mine, wrong = quote(item), quote(other)
    paths = list(dict.fromkeys(r.target.partition("?")[0] for r in kept if mine in r.target.partition("?")[0]))[:3]
    found |= dict.fromkeys(f"GET {path.replace(mine, wrong)}" for path in paths)
    for path in paths[:1]:
        before, _, behind = path.partition(mine)
        for step in ("..", "%2e%2e", "%252e%252e"):
            found[f"GET {before}{mine}/{step}/{wrong}{behind}"] = None
        found[f"GET {before}{mine}/..%2f{wrong}{behind}"] = None
        found[f"GET {before}{mine}%2f..%2f{wrong}{behind}"] = None
        found[f"GET /{path}"] = None
        for end in (";x=1", "%00", f"?id={wrong}", "/"):
            found[f"GET {path}{end}"] = None
        found[f"POST {path}"] = None
        found[f"WS {path}"] = None
    found |= dict.fromkeys(["GET /", "GET /admin", "GET /api", "GET /%2e%2e/etc/passwd", "POST /"])
    return list(found)


def _unfit(target: str, ids: Sequence[str]) -> bool:
    """For an example: it holds what may be a secret, or what config would fill from the environment."""
    for one in ids:
        target = target.replace(one, "id")
    return shown(target) != target or "$" in target


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)
