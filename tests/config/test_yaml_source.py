"""YAML as operators write it: traps of the format are faults or plain texts, never surprises."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.yaml_source import Source, read_text


def source(text: str, **environ: str) -> Source:
    return read_text(text, name="f", environ=environ)


def faults(found: Source) -> list[str]:
    return [str(fault) for fault in found.faults]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("true", True),
        ("no", False),
        ("~", None),
        ("", None),
        ("'no'", "no"),
        # YAML 1.1 would make 90, 8, 16, 1000, infinity and a date of these.
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("2026-11-20", "2026-11-20"),
        ("2026-02-31", "2026-02-31"),
        ("=", "="),
    ],
)
def test_a_value_is_what_it_looks_like(written: str, value: Any) -> None:
    found = source(f"a: {written}\n")
    assert faults(found) == []
    assert found.data == {"a": value}
    assert type(found.data["a"]) is type(value)


@pytest.mark.parametrize(
    "written",
    ["!!bool maybe", '!!int ""', "!!timestamp x", "!!float x", "!!binary aGk=", "!!str 5", "!!set {a}", "!mine x"],
)
def test_tags_are_faults_whatever_they_say(written: str) -> None:
    (fault,) = faults(source(f"a: {written}\n"))
    assert fault.startswith("f:1:4: tags are not used here")


def test_a_default_may_hold_a_templates_braces() -> None:
    text = "a: ${ROOT:-/hls/{id}}/x.ts\n"
    assert source(text).data == {"a": "/hls/{id}/x.ts"}
    assert source(text, ROOT="/v/{id}").data == {"a": "/v/{id}/x.ts"}


def test_keys_are_filled_as_values_are() -> None:
    """A text to be exchanged is a key, and may be this installation's name."""
    text = '"https://${HOST}": x\n"${HOST}": y\n'
    assert source(text, HOST="tv.test").data == {"https://tv.test": "x", "tv.test": "y"}
    unset = source(text)
    assert unset.data == {"https://${HOST}": "x", "${HOST}": "y"}
    unset.report_unset()
    assert [one[:6] for one in faults(unset)] == ["f:1:1:", "f:2:1:"]
    assert "f:1:1: a variable of the environment is written" in faults(source('"${HOST": x\n'))[0]
    assert "given twice" in faults(source("tv: x\n${HOST}: y\n", HOST="tv"))[0]


@pytest.mark.parametrize("written", ["${TOKEN", "${}", "${my token}", "${TOKEN-x}", "a${B}${"])
def test_a_hole_that_is_none_is_a_fault_rather_than_a_text(written: str) -> None:
    """It would be sent as a credential, and nobody would know why it is refused."""
    assert "f:1:4: a variable of the environment is written ${NAME} or ${NAME:-default}" in faults(
        source(f'a: "{written}"\n', B="b")
    )


def test_what_an_unset_name_should_fill_is_no_mistake_of_its_own() -> None:
    found = source("a: Bearer ${NOPE}\nb: x\n")
    found.fault(("a",), "too short")
    found.fault(("b",), "too short")
    assert faults(found) == ["f:2:4: too short"]
    found.report_unset()
    assert faults(found)[1:] == [
        "f:1:4: the environment variable NOPE is not set here (set it, or write ${NOPE:-default})"
    ]
