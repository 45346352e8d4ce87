"""GraphQL documents in messages and bodies: what they ask for, to a parser and to whoever looks less closely."""

from __future__ import annotations

import json
import random
import re

import pytest

from gateway.errors import BadFile
from gateway.policy.graphql import MOST, MOST_NAMED, Operations
from gateway.policy.load import load_policy_text

READS = Operations({"query": None, "subscription": None})
SAYS = Operations({"mutation": frozenset({"chatSend", "chatTyping"})})
CHAT = "mutation Send($chat: String!, $text: String!) {\n  chatSend(chatId: $chat, text: $text)\n}"


@pytest.mark.parametrize(
    "text",
    [
        "subscription userCurrent {\n  user_current {\n    userId\n    meeting { ended }\n    __typename\n  }\n}",
        'query q($n: Int = 10, $of: [String!]) { chat(limit: $n, where: {id: {_eq: "A\\"B{"}}) { id } a: chat { id } }',
        "query { a }",
        "subscription S { ...Root user { ...U } } fragment Root on S { x } fragment U on user { name }",
        "query q @cached(ttl: 5) { user { name @include(if: true) } }",
        "subscription s { f(a: -1.5e3, b: null, c: [1, 2], d: RED, e: true) { g } }\n",
    ],
)
def test_what_reads_is_any_reading_document(text: str) -> None:
    assert READS.matches(text)
    assert not SAYS.matches(text)


@pytest.mark.parametrize(
    "text",
    [
        CHAT,
        "mutation { chatTyping }",
        "mutation A {\n\tchatTyping(chatId: $c,)\n chatSend(text: $t, a: $t) { ok } }",
        'mutation A($a: String = "x") { chatTyping }',
        "mutation A { chatTyping @skip(if: $no) }",
        "mutation A { chatTyping { a { b(c: $d) } } } fragment F on X { y(z: $z) }",
    ],
)
def test_what_says_is_one_that_names_nothing_else(text: str) -> None:
    assert SAYS.matches(text)
    assert not READS.matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "mutation { eject }",
        "mutation { chatSend eject }",
        "mutation { chatSend(chatId: theirs) }",
        "mutation { chatSend @d(chatId: theirs) }",
        "mutation { chatSend { a(chatId: theirs) } }",
        'mutation { chatSend { "(chatId: theirs)" } }',
        "mutation { chatSend } fragment F on X { a(chatId: theirs) }",
        "mutation { chatSend } fragment F on X { a @d(chatId: theirs) }",
        'mutation { chatSend } fragment F on X { "(chatId: theirs)" }',
        'mutation { chatSend(chatId: "theirs") }',
        "mutation { chatSend(chatId: $c, n: 1) }",
        "mutation { chatSend(chatId: $c n) }",
        "mutation { chatSend(chatId: {a: $c}) }",
        "mutation { chatSend(chatId: [$c]) }",
        "mutation { chatSend(chatId $c) }",
        "mutation { chatSend chatTyping(a: true) }",
        "mutation { eject: chatSend(a: 1) }",
        "mutation { chatSend: eject(a: 1) }",
        "mutation { ...F } fragment F on mutation_root { eject }",
        "mutation { ... on mutation_root { eject } }",
        "mutation { ... { eject } }",
        "mutation { chatSend ... { eject } }",
        "mutation M($a: T = {eject: 1}) { chatSend }",
        'mutation M($a: T = "{eject(x: 1)") { chatSend }',
        'mutation M @d(a: "{eject(x: 1)") { chatSend }',
        "mutation M @d(a: {eject: 1}) { chatSend }",
        "mutation {{eject: 1} chatSend }",
        "mutation { @d(a: {eject: 1}) chatSend }",
        "mutation {, chatSend(a: {eject: 1}) }",
        "mutation {# {eject}\nchatSend }",
        "mutation M { chatSend } mutation N { eject }",
        "query Q { a } mutation N { eject }",
        "subscription Q { a } mutation N { eject }",
        "subscription Q { a } query R { b }",
        "subscription Q { a } fragment F on x { y } mutation N { eject }",
        "subscription Q { a } { b }",
        "{ chatSend }",
        " mutation { chatSend }",
        "\ufeffmutation { chatSend }",
        ",mutation { chatSend }",
        "#x\nmutation { chatSend }",
        "mutation\u00a0M { chatSend }",
        "mutation M { chatSend\u200b }",
        "Mutation M { chatSend }",
        "mutation M { chatSend } }",
        "mutation M { chatSend ) }",
        "mutation M { chatSend(a: [1) }",
        "mutation M { }",
        "mutation M {",
        "mutation M",
        "mutation",
        'mutation M { chatSend(a: """x""") }',
        'mutation M { chatSend(a: "x\n") }',
        "mutation M { chatSend(a: 'x') }",
        "mutation M { chatSend(a: 01) }",
        "mutation M { chatSend(a: 1x) }",
        "mutation M { $chatSend }",
        "mutation M { chatSend }\0",
        "fragment F on x { y } mutation M { chatSend }",
        "schema { mutation: x }",
        "query M { " + "a { " * 80 + "b" + " }" * 81,
        "mutation M { chatSend @ }",
        'mutation "{a"',
        'mutation M @d "{a"',
        "mutation M @",
        "mutation M @d",
        "mutation M (",
        'mutation M { chatSend(a: "x) }',
        'mutation M { chatSend(a: "\\") }',
        "mutation M { chatSend(a: -) }",
        "mutation M { chatSend(a: 1.) }",
        "mutation M { chatSend(a: .. ) }",
        "mutation M { chatSend(a: 1.5.2) }",
        "mutation M N { chatSend }",
        "",
        " ",
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_neither(text: str) -> None:
    assert not SAYS.matches(text)
    assert not READS.matches(text)


def test_the_first_word_behind_the_first_brace_is_always_one_of_the_names() -> None:
    """As bbb-graphql-middleware looks for it, whatever is put into a good document or taken out of it."""
    good = ["mutation", " ", "M", "(", "$a", ":", "S", ")", " {", " ", "chatSend", "(", "a", ":", "$a", ")", " ", "}"]
    pieces = [
        *good, "{", "eject", '"{eject"', ",", "\n", "...", "@d", "# {eject\n", "{eject: 1}", "= {eject: 1}", "\x0b",
        "(a: theirs)", "{ x(a: theirs) }", '"(a: theirs)"', "{ x }",
    ]  # fmt: skip
    dice = random.Random(7)
    taken = 0
    for _ in range(6_000):
        made = list(good)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(made))
            made[at : at + dice.randint(0, 1)] = [dice.choice(pieces)]
        text = "".join(made)
        if SAYS.matches(text):
            taken += 1
            found = re.search(r"\{\s*(\w+)", text, re.ASCII)
            assert found is not None
            assert found[1] in ("chatSend", "chatTyping"), text
            given = re.search(r"\{[^(]+\(([^)]+)\)", text)
            for one in re.split("[,\n]", given[1]) if given else ():
                assert one.replace(" ", "").partition(":")[2].strip()[:1] in ("", "$"), text
    assert taken > 300


def test_a_long_document_is_none() -> None:
    reading = "subscription S { " + "a(b: {c: [1, 2]}) { d } " * 300 + "}"
    assert READS.matches(reading)
    assert not READS.matches(reading + " " * MOST)
    assert not READS.matches("query Q { " + "{" * 8_000)
    saying = "mutation S { " + "chatSend(a: $a) " * 100 + "}"
    assert SAYS.matches(saying)
    assert not SAYS.matches(saying + " " * MOST_NAMED)


POLICY = """
server: Test server
item: {id: "[a-z]+"}
patterns:
  reads: {graphql: {query: "*", subscription: "*"}}
  says: {graphql: {mutation: [chatSend]}}
  n: "[0-9]+"
kinds:
  room:
    open: /{id}/
    allow:
      - page GET /{id}/
      - request: WS /graphql
        messages:
          - {type: subscribe, id: "{n}", payload: {query: "{reads}", operationName: "string?"}}
    interactions:
      chat:
        - request: WS /graphql
          messages: [{type: subscribe, id: "{n}", payload: {query: "{says}", variables: {text: string, by: "{id}"}}}]
        - request: POST /graphql
          json: {query: "{says}"}
guest_access: {interactions: [chat]}
"""


def test_it_stands_in_messages_and_bodies() -> None:
    policy = load_policy_text(POLICY)
    rules = policy.kinds["room"].rules
    values = {"id": ("hall",)}
    reading, saying = [rule.messages for rule in rules if rule.messages is not None]
    text = json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "query { a }", "query2": "x"}})
    assert reading.written(text, values) == '{"type":"subscribe","id":"1","payload":{"query":"query { a }"}}'
    assert saying.written(text, values) is None
    said = {"type": "subscribe", "id": "1", "payload": {"query": CHAT, "variables": {"text": "x", "by": "them"}}}
    written = saying.written(json.dumps(said), values)
    assert written is not None
    assert json.loads(written)["payload"] == {"query": CHAT, "variables": {"text": "x", "by": "hall"}}
    assert reading.written(json.dumps(said), values) is None
    assert "(GraphQL query, subscription)" in reading.described(values)
    assert "(GraphQL mutation chatSend)" in saying.described(values)
    said["payload"]["query"] = ["mutation"]  # type: ignore[index]
    assert saying.written(json.dumps(said), values) is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("page GET /{id}/\n", "page GET /{id}/{says}\n", "is a GraphQL document"),
        ('query: "{says}", v', 'query: "x{says}", v', "is a pattern; it stands alone"),
        ("[chatSend]}}", "[]}}", 'names of fields, or "*"'),
        ("[chatSend]}}", "['chat-send']}}", "not the name of a field"),
        ("[chatSend]}}", "all}}", "must be a list"),
        ("graphql: {mutation", "graphql: {mutations", "unknown key"),
        ("{graphql: {mutation: [chatSend]}}", "{graphql: {}}", "written {jwt"),
        ("{graphql: {mutation: [chatSend]}}", "{graphql: null}", "written {jwt"),
        ("{graphql: {mutation: [chatSend]}}", "{graphql: {mutation: [chatSend]}, jwt: {a: '{id}'}}", "written {jwt"),
        ("  says:", "  id: {graphql: {query: '*'}}\n  says:", "is a variable already"),
        ('"{says}"', '"{sais}"', "did you mean"),
    ],
)  # fmt: skip
def test_mistakes_are_told(old: str, new: str, what: str) -> None:
    assert old in POLICY
    with pytest.raises(BadFile) as failed:
        load_policy_text(POLICY.replace(old, new))
    assert what in str(failed.value)
