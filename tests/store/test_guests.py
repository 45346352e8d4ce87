"""What a guest answered and agreed to, as it lies in the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import StoreDown
from gateway.store import names
from gateway.store.links import LinkStore
from gateway.store.records import guest_hash, read_guest
from tests.store.test_versions import ADA, GUEST, NOW, fill

ANSWERED = replace(
    ADA, fields={"company": '"Zoë", \n=1', "news": True, "rules": False}, consent_version="2026-11", consent_at=NOW
)


def test_answers_come_back_as_they_were() -> None:
    assert read_guest(guest_hash(ANSWERED)) == ANSWERED
    # Without any there is nothing of them in the record, as before there were any.
    assert not {"fields", "consent_version", "consent_at"} & guest_hash(ADA).keys()
    assert "Zo" not in repr(ANSWERED)


@pytest.mark.parametrize("written", ["", "[]", "null", "{", "7"])
def test_answers_that_make_no_sense_are_not_guessed_at(written: str) -> None:
    with pytest.raises(StoreDown, match="can't be read"):
        read_guest({**guest_hash(ADA), "fields": written})


async def test_agreeing_later_changes_nothing_else(links: LinkStore) -> None:
    await fill(links.store, 1)
    key = names.guest(GUEST)
    await links.store.run(lambda client: client.pexpire(key, 60_000))
    await links.guests.agree(GUEST, "2026-12", now=NOW + 1)
    found = (await links.guests.visitors([GUEST]))[GUEST].guest
    assert found == replace(ADA, consent_version="2026-12", consent_at=NOW + 1)
    assert 0 < await links.store.run(lambda client: client.pttl(key)) <= 60_000


async def test_nobody_who_left_was_erased_or_never_came_agrees(links: LinkStore) -> None:
    await fill(links.store, 1)
    await links.guests.leave(ADA, [], "left", now=NOW)
    await links.guests.agree(GUEST, "2026-12", now=NOW)
    assert (await links.guests.visitors([GUEST]))[GUEST].guest.consent_version is None
    nobody = f"{GUEST[:-1]}9"
    await links.guests.agree(nobody, "2026-12", now=NOW)
    assert await links.store.run(lambda client: client.exists(names.guest(nobody))) == 0


async def test_erasing_takes_the_answers_along(links: LinkStore) -> None:
    await fill(links.store, 1)
    key = names.guest(GUEST)
    await links.store.run(lambda client: client.hset(key, mapping=guest_hash(ANSWERED)))
    assert (await links.guests.visitors([GUEST]))[GUEST].guest == ANSWERED
    await links.guests.erase(GUEST)
    assert (await links.guests.visitors([GUEST]))[GUEST].guest == replace(ADA, name="", email="")
