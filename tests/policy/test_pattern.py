"""Patterns match like regular expressions, in linear time, and refuse what can't be linear."""

from __future__ import annotations

import random
import re

import pytest

from gateway.policy.pattern import PatternError, compile_pattern

SAME_AS_RE = [
    "[a-z0-9]{2,4}",
    "(ab|c)*d",
    "a(b|)c",
    r"\d+[.]\w{2}",
    "a{2}b{1,3}c{0,2}",
    "(a|b)+(c|d)?",
    "[]a]x",
    "[a-]+",
    "((a*)*)*b",
    "(?:ab)?c+",
]


@pytest.mark.parametrize("text", SAME_AS_RE)
def test_agrees_with_re(text: str) -> None:
    pattern, oracle, chance = compile_pattern(text), re.compile(text), random.Random(7)
    for _ in range(2_000):
        word = "".join(chance.choice("abcd01.x]-") for _ in range(chance.randint(0, 7)))
        assert pattern.matches(word) == bool(oracle.fullmatch(word)), word


def test_dot_and_negated_sets_stay_inside_a_segment() -> None:
    assert not compile_pattern(".+").matches("a/b")
    assert not compile_pattern("[^x]+").matches("a/b")
    assert compile_pattern("[a-z]+/[a-z]+").matches("a/b")


def test_named_parts() -> None:
    pattern = compile_pattern("(?P<user>[a-z]+)/(?<clip>[0-9]{1,3})x?")
    assert pattern.parts("ada/12x") == {"user": "ada", "clip": "12"}
    assert pattern.parts("ada/") is None
    assert pattern.slashes == 1


def test_slashes_are_counted() -> None:
    assert compile_pattern("[a-z/]+").slashes is None
    assert compile_pattern("a(/b)?").slashes is None
    assert compile_pattern("a/b|c/d").slashes == 1


def test_no_pattern_blows_up() -> None:
    """With a backtracking engine these would run until the end of days."""
    assert not compile_pattern("((a*)*)*b").matches("a" * 20_000)
    assert not compile_pattern("(a|a)*(a|aa)*c").matches("a" * 20_000)
    assert compile_pattern("(a|aa)*").parts("a" * 5_000) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a**", "quantifier behind"),
        ("a+?", "quantifier behind"),
        ("(a", "without its `)`"),
        ("a)", "without its `(`"),
        ("[a", "ends too early"),
        ("(?=x)", "only (?:…)"),
        ("(?P<n>a)+", "can't be repeated"),
        ("(?P<A>x)", "small letters"),
        ("(?P<a>x)(?P<a>y)", "two parts"),
        ("^a$", "leave out"),
        (r"\bx", "not supported"),
        ("[[:alpha:]]", "not supported"),
        ("a{3,1}", "counts upwards"),
        ("a{x}", "repeat is written"),
        ("(a{1000}){1000}", "too large"),
        ("*a", "nothing before it"),
        ("[z-a]", "downwards"),
        ("x" * 1001, "longer than"),
    ],
)
def test_what_is_refused_is_named(text: str, says: str) -> None:
    with pytest.raises(PatternError, match=re.escape(says)):
        compile_pattern(text)
