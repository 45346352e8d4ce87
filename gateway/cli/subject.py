"""Whose request it would be: variables that a command was given, and what stands for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.command import bad_usage

if TYPE_CHECKING:
    from gateway.policy.model import Policy

# What stands for the guest and the grant, which exist only once somebody has come.
GUEST = {
    "guest.name": ("Ada Guest",),
    "guest.email": ("ada@example.org",),
    "guest.id": ("guest1",),
    "grant.id": ("grant1",),
    "link.id": ("link1",),
}


def given_variables(written: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            bad_usage(f"--var is written NAME=VALUE, not {one}")
        found[name] = (*found.get(name, ()), value)
    return found


def names_to_ask(policy: Policy, kind: str | None) -> set[str]:
    """Variables that resolve finds and rules of the kind use; the id where the server has a spelling of
    its own for it."""
    found = {name for step in policy.item.steps for name in step.vars}
    kinds = [policy.kinds[kind]] if kind else list(policy.kinds.values())
    used = {name for one in kinds for rule in one.rules for name in rule.variables}
    own_spelling = any(step.id is not None for step in policy.item.steps)
    return (found & used) | ({"id"} if own_spelling else set())
