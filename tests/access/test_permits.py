"""Who may manage what."""

from __future__ import annotations

import pytest

from gateway.access.permits import Actor, everything


@pytest.mark.parametrize(
    ("may", "ids", "server", "item", "owners", "verdict"),
    [
        (("tv:*",), (), "tv", "film1", (), True),
        (("tv:*",), (), "radio", "film1", (), False),
        (("tv:film*",), (), "tv", "film1", (), True),
        (("tv:film*",), (), "tv", "show1", (), False),
        (("tv:film1", "radio:*"), (), "radio", "show1", (), True),
        (("*:*",), (), "radio", "a/b", (), True),
        (("tv:Film*",), (), "tv", "film1", (), False),
        (("tv:own",), ("u1",), "tv", "film1", ("u1",), True),
        (("tv:own",), ("u1",), "tv", "film1", ("u2", "u1"), True),
        (("tv:own",), ("u1",), "tv", "film1", ("u2",), False),
        (("tv:own",), ("u1",), "tv", "film1", (), False),
        (("tv:own",), (), "tv", "film1", ("",), False),
        (("*:own",), ("u1",), "radio", "x", ("u1",), True),
        (("tv:own",), ("u1",), "radio", "x", ("u1",), False),
        # An item of that very name is no way round.
        (("tv:own",), ("u1",), "tv", "own", ("u2",), False),
        ((), ("u1",), "tv", "film1", ("u1",), False),
    ],
)
def test_a_manager_manages_what_is_written_and_nothing_else(
    may: tuple[str, ...], ids: tuple[str, ...], server: str, item: str, owners: tuple[str, ...], verdict: bool
) -> None:
    assert Actor("alice", may, ids).manages(server, item, owners) is verdict


def test_the_command_line_may_do_everything() -> None:
    assert everything("cli:root").manages("tv", "any/thing", ())
