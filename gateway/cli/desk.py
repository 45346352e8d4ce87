"""The commands' way to links and guests: store, policies and media servers opened for one question.

Works while the gateway runs (the embedded store is found by its socket) and without (it is started for
as long as the command takes). What is refused becomes a sentence for the terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.command import Refused, actor, bad_usage

if TYPE_CHECKING:
    from gateway.access.issue import IssueRefused
    from gateway.access.managing import ManagerDesk
    from gateway.access.permits import Actor
    from gateway.config import Config

T = TypeVar("T")


def with_desk(config: Config, act: Callable[[ManagerDesk], Awaitable[T]]) -> T:
    """Open everything, do one thing, close everything. Raises BadFile, BadSecret, StoreDown, Refused."""
    from gateway.app import open_desk

    async def open_and_act() -> T:
        async with open_desk(config) as desk:
            return await act(desk)

    return asyncio.run(open_and_act())


def me() -> Actor:
    """Whoever runs this command may do everything, and stands in the record as who they are here."""
    from gateway.access.permits import everything

    return everything(actor())


def agreed(answer: T | IssueRefused) -> T:
    """The answer, unless it is a refusal: then wrong values are exit 2, all else exit 1."""
    from gateway.access.issue import IssueRefused

    if not isinstance(answer, IssueRefused):
        return answer
    if answer.status == 400:
        bad_usage(str(answer))
    hint = "; `gateway link list` shows the ids" if answer.status == 404 else ""
    raise Refused(f"{answer.text}{hint}")
