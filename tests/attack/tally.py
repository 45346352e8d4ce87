"""What the suite counted, printed below the results (see `conftest`)."""

from __future__ import annotations

LINES: list[str] = []


def report(title: str, counts: dict[str, int], more: str = "") -> None:
    """A headline with the total, then one line for each class."""
    LINES.append(f"{title}: {sum(counts.values())} in {len(counts)} classes{more and ', ' + more}")
    LINES.extend(f"  {count:4}  {name}" for name, count in counts.items())
