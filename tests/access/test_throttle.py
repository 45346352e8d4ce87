"""Guessing links: many misses make an address wait, good links keep it going."""

from __future__ import annotations

from gateway.access.throttle import Guesses


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_an_address_that_guesses_has_to_wait_and_no_other() -> None:
    clock = Clock()
    guesses = Guesses(10, clock)
    for _ in range(10):
        assert guesses.wait("a") == 0
        guesses.missed("a")
    assert guesses.wait("a") == 6
    assert guesses.wait("b") == 0
    clock.now += 6_100
    assert guesses.wait("a") == 0


def test_a_hall_full_of_guests_with_some_typing_errors_comes_in() -> None:
    guesses = Guesses(10, Clock())
    for number in range(500):
        assert guesses.wait("hall") == 0
        if number % 5 == 0:
            guesses.missed("hall")
        else:
            guesses.found("hall")


def test_a_long_attack_does_not_lock_for_long_and_memory_is_bounded() -> None:
    clock = Clock()
    guesses = Guesses(10, clock)
    for _ in range(10_000):
        guesses.missed("a")
    assert guesses.wait("a") <= 70
    for number in range(30_000):
        guesses.missed(str(number))
    assert len(guesses._buckets) <= 20_000
