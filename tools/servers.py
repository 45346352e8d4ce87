#!/usr/bin/env python3
"""The table of servers in README.md, from the policies themselves.

    .venv/bin/python tools/servers.py            writes it anew
    .venv/bin/python tools/servers.py --check    exit 1 when README says something else

A row says what a policy says: kinds, whose page guests land on, what they can do there, what it was tried with. Kinds
that only exist to be refused are left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.policy.document import read_document
from gateway.policy.load import load_policy
from gateway.policy.model import Kind, Policy
from gateway.policy.written import PolicyDocument
from gateway.yaml_source import read

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- servers: tools/servers.py writes what stands here -->", "<!-- end of servers -->"
HEAD = "| Server | Kinds | Guests land on | and can | Tried with |\n|---|---|---|---|---|\n"
VERBS = {
    "video": "watch",
    "audio": "listen",
    "photo": "look",
    "live": "watch live",
    "room": "take part",
    "channel": "watch",
}
SORTS = {"hls": "HLS", "dash": "DASH", "flv": "FLV", "file": "one file", "whep": "WebRTC", "livekit": "room"}


def main(arguments: list[str]) -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        print(f"README.md: {BEGIN} and {END} are missing", file=sys.stderr)
        return 2
    wanted = f"{before}{BEGIN}\n{table()}{END}{after}"
    if "--check" in arguments:
        return int(wanted != text)
    readme.write_text(wanted)
    return 0


def table() -> str:
    return HEAD + "".join(_row(path) for path in sorted((ROOT / "policies").glob("*.yaml")))


def _row(path: Path) -> str:
    # What the environment would say is nobody's business here; examples have their own test.
    policy = load_policy(path, strict_env=False)
    document = read_document(read(path, environ={}))
    assert document is not None
    cells = (
        _server(policy),
        ", ".join(name for name, kind in policy.kinds.items() if kind.guest_access),
        _pages(policy),
        _doings(policy, document),
        _tried(policy.verified),
    )
    return f"| {' | '.join(cells)} |\n"


def _server(policy: Policy) -> str:
    page = Path("docs") / "servers" / f"{policy.name}.md"
    policy_file = f"[{policy.name}](policies/{policy.name}.yaml)"
    title = f"[{policy.title}]({page})" if (ROOT / page).is_file() else policy.title
    return f"{title} · {policy_file}"


def _pages(policy: Policy) -> str:
    return " · ".join(dict.fromkeys(_page(kind) for kind in policy.kinds.values() if kind.guest_access))


def _page(kind: Kind) -> str:
    if kind.player and kind.player.as_ == "livekit":
        return "our room page"
    return f"our player ({SORTS[kind.player.as_]})" if kind.player else "the server's own page"


def _doings(policy: Policy, document: PolicyDocument) -> str:
    verbs = dict.fromkeys(VERBS.get(name, name) for name, kind in policy.kinds.items() if kind.guest_access)
    groups = dict.fromkeys(said.text for kind in document.kinds.values() for said in kind.groups)
    return ", ".join((*verbs, *(name if name in policy.interactions else f"{name} (off)" for name in groups)))


def _tried(said: str) -> str:
    """In few words: the versions, or that it was a stand-in, linked to the test. The rest is read in the policy."""
    what, test = re.match(r"(.*?), \d{4}-\d\d-\d\d", said), re.search(r"tests/[\w/]+[.]py", said)
    if not (what and test):
        return said or "not yet"
    words = "a stand-in" if re.match("from source|stand-in", said) else what[1]
    instead = ", once; a stand-in after that" if "stand-in where it is not installed" in said else ""
    return f"[{words}]({test[0]}){instead}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
