"""What `doctor` says about links from before the ceilings of their policy or server."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from gateway.cli.doctor import NOTE, Report

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.store.links import LinkStore


async def look_at_links(report: Report, config: Config, links: LinkStore) -> None:
    """Count them, by server; a server whose policy can't be read is `check`'s to name."""
    from gateway.access.ceilings import broken
    from gateway.errors import BadFile
    from gateway.policy.load import load_policy

    ceilings = {}
    for server in config.servers:
        try:
            found = load_policy(server.policy_path).ceilings.tightened(server.ceilings)
        except BadFile:
            continue
        if found:
            ceilings[server.name] = found
    if not ceilings:
        return
    now = time.time_ns() // 1_000_000
    beyond: dict[str, int] = Counter()
    fields: dict[str, Counter[str]] = {name: Counter() for name in ceilings}
    for seen in await links.of_items(await links.slots(), now=now, count=False):
        name = seen.link.server
        if name in ceilings and (breaks := broken(seen.link, ceilings[name], now=now)):
            beyond[name] += 1
            fields[name].update(breaks)
    for name, number in beyond.items():
        which = ", ".join(f"{field}: {count}" for field, count in fields[name].items())
        what = "1 link goes" if number == 1 else f"{number} links go"
        report.add(
            NOTE, f"server {name}", f"{what} beyond the ceilings, which are younger ({which}); they work on as before",
            "`gateway link list --breaks` names them; edit or delete those that should keep to the ceilings",
        )  # fmt: skip
