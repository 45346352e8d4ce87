"""The schema for editors and the grammar say the same: neither has a key that the other lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.policy.document import read_document
from gateway.policy.shape_reader import ShapeReader
from gateway.yaml_source import Source, Way, read_text

ROOT = Path(__file__).parents[2]
FILE = ROOT / "policies" / "policy.schema.json"
SCHEMA = json.loads(FILE.read_text())
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)
POLICIES = sorted((ROOT / "policies").glob("*.yaml"))


def seen(schema: dict[str, Any]) -> dict[str, Any]:
    """Where a reference leads; of alternatives the mapping."""
    if "$ref" in schema:
        return seen(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    for one in schema.get("anyOf", ()):
        if "properties" in seen(one):
            return seen(one)
    return schema


def fullest(schema: dict[str, Any]) -> Any:
    """A document with every key that the schema knows, whatever the values."""
    schema = seen(schema)
    if schema.get("type") == "array":
        return [fullest(schema.get("items", {}))]
    if schema.get("type") == "object":
        found = {key: fullest(value) for key, value in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties")
        return {**found, "name": fullest(more)} if isinstance(more, dict) else found
    return "text"


def places(schema: dict[str, Any], way: Way = ()) -> Iterator[tuple[Way, set[str]]]:
    schema = seen(schema)
    if "properties" in schema:
        yield way, set(schema["properties"])
        for key, value in schema["properties"].items():
            yield from places(value, (*way, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from places(schema["additionalProperties"], (*way, "name"))
    if isinstance(schema.get("items"), dict):
        yield from places(schema["items"], (*way, 0))


def test_the_schema_has_the_keys_of_the_grammar_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[Way, set[str]] = {}
    plain = ShapeReader.mapping

    def recording(self: ShapeReader, data: Any, way: Way, keys: tuple[str, ...], *rest: Any) -> dict[str, Any]:
        known[way] = set(keys)
        return plain(self, data, way, keys, *rest)

    monkeypatch.setattr(ShapeReader, "mapping", recording)
    read_document(Source("fullest.yaml", fullest(SCHEMA)))
    written = dict(places(SCHEMA))
    wrong = [
        f"add {'.'.join(map(str, (*way, key)))} to policies/policy.schema.json"
        for way, keys in known.items()
        for key in sorted(keys - written.get(way, set()))
    ] + [
        f"{'.'.join(map(str, (*way, key)))} is in policies/policy.schema.json, and no reader of the grammar reads it"
        for way, keys in written.items()
        for key in sorted(keys - known.get(way, set()))
    ]
    assert wrong == []
    assert len(known) > 8


def test_every_key_is_explained_or_says_itself() -> None:
    bare = [key for key, value in SCHEMA["properties"].items() if "description" not in value]
    assert bare == []


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_a_policy_that_is_shipped_names_the_schema_and_keeps_to_it(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=policy.schema.json"
    VALIDATOR.validate(read_text(text, name=path.name, environ={}).data)


BLOCKS = [
    block
    for path in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.S)
    if re.search(r"^server:", block, re.M)  # else a part of one
]


@pytest.mark.parametrize("text", BLOCKS)
def test_a_policy_in_the_documents_keeps_to_it(text: str) -> None:
    VALIDATOR.validate(read_text(text, name="docs.yaml", environ={}).data)


GOOD = """
server: x
item: {id: "[a-z]+"}
kinds:
  video:
    player: {src: "/{id}.m3u8"}
    allow: ["GET /{id}.m3u8"]
"""


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("server: x", "server: [x]"),
        ("server: x", "sever: x"),
        ("server: x", "server: x\norigin: []"),
        ('item: {id: "[a-z]+"}', "item: {}"),
        ('item: {id: "[a-z]+"}', 'item: {id: "[a-z]+", resolve: [{gone: [404]}]}'),
        ('item: {id: "[a-z]+"}', 'item: {id: "[a-z]+", resolve: [{request: GET /a, gone: [99]}]}'),
        ('item: {id: "[a-z]+"}', 'item: {id: "[a-z]+", resolve: [{request: FETCH /a}]}'),
        ("kinds:", "kind:"),
        ("player:", "plyer:"),
        ('{src: "/{id}.m3u8"}', "{poster: /a.jpg}"),
        ('{src: "/{id}.m3u8"}', '{src: "/{id}.m3u8", as: avi}'),
        ('"GET /{id}.m3u8"', '"FETCH /{id}.m3u8"'),
        ('"GET /{id}.m3u8"', '"page POST /{id}.m3u8"'),
        ('"GET /{id}.m3u8"', '"GET,WS /{id}.m3u8"'),
        ('"GET /{id}.m3u8"', '"/{id}.m3u8"'),
        ('"GET /{id}.m3u8"', "{reqest: GET /a}"),
        ("server: x", "server: x\nguest_access: {links_per_item: 0}"),
        ("server: x", "server: x\nguest_access: {on_revoke: never}"),
        ("server: x", "server: x\nguest_access: {require: [password]}"),
        ("server: x", "server: x\nexamples: {allow: [/a]}"),
        ("server: x", "server: x\nprotects_itself: maybe"),
        ("server: x", "server: x\nupstream: {basic: nobody}"),
    ],
)
def test_an_editor_marks_what_is_wrong(was: str, now: str) -> None:
    assert VALIDATOR.is_valid(read_text(GOOD, name="good.yaml", environ={}).data)
    assert was in GOOD
    assert not VALIDATOR.is_valid(read_text(GOOD.replace(was, now), name="wrong.yaml", environ={}).data)
