"""The judgement of targets alone, without sockets: the lists of `test_lines`, each line with its proper reason."""

from __future__ import annotations

import pytest

from gateway.policy.load import load_policy_text
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason
from tests.attack.legitimate import LEGITIMATE
from tests.attack.policy import POLICY, A
from tests.attack.recording import foreign_target
from tests.attack.targets import AMBIGUOUS, NOT_THEIRS

SCOPE = load_policy_text(POLICY).scope("video", {"id": (A,)})


def judged(line: str) -> tuple[str | None, Reason | None]:
    """What is sent, or why nothing is."""
    method, _, raw = line.partition(" ")
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return None, Reason.AMBIGUOUS_TARGET
    decision = SCOPE.decide(method, target)
    return (f"{method} {target.sent}", None) if decision.allowed else (None, decision.reason)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused_as_that(name: str) -> None:
    assert [line for line in AMBIGUOUS[name] if judged(line) != (None, Reason.AMBIGUOUS_TARGET)] in ([], LONG)


@pytest.mark.parametrize("name", NOT_THEIRS)
def test_what_is_not_theirs_is_denied_and_no_more(name: str) -> None:
    denied = (Reason.NO_RULE, Reason.QUERY_REFUSED, Reason.METHOD_REFUSED)
    assert [line for line in NOT_THEIRS[name] if judged(line)[0] or judged(line)[1] not in denied] == []


def test_what_is_good_is_sent_in_its_one_spelling() -> None:
    assert [line for line, sent in LEGITIMATE if judged(line) != (sent, None)] == []
    assert [sent for _, sent in LEGITIMATE if foreign_target(*sent.split(" "))] == []


# Too long for the edge, which is why these never come here; in themselves they are clear.
LONG = [
    line for line in AMBIGUOUS["long input"] if len(line) > 8_190 and judged(line)[1] is not Reason.AMBIGUOUS_TARGET
]


def test_many_other_rules_change_no_decision() -> None:
    """Some matchers compare in another way when they have much to compare with."""
    others = "".join(
        f"      - GET /other{n}/{{id}}/{{file}}\n      - GET /api/items{n}?id={{id}}&*\n" for n in range(150)
    )
    larger = load_policy_text(POLICY.replace("      - WS /ws", others + "      - WS /ws")).scope("video", {"id": (A,)})
    for line in (*(line for lines in NOT_THEIRS.values() for line in lines), *(line for line, _ in LEGITIMATE)):
        method, _, raw = line.partition(" ")
        target = parse_target(raw)
        assert not isinstance(target, Ambiguity)
        one, other = SCOPE.decide(method, target), larger.decide(method, target)
        assert (one.allowed, one.reason) == (other.allowed, other.reason), line
