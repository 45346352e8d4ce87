"""What the program knows and what the documents say are the same, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gateway.cli import main
from gateway.config_file import load_config
from gateway.policy import document, rule_reader, shape_reader, step_reader
from gateway.policy.load import load_policy_text
from gateway.reasons import Reason
from gateway.yaml_section import Section
from gateway.yaml_source import Source, Way

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def rows(text: str) -> Iterator[tuple[str, ...]]:
    """Rows of the tables in a document, without their heads."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| key") and not set(line) <= set("|- "):
            yield tuple(cell.strip() for cell in line.strip("|").split(" | "))


def section(text: str, title: str) -> str:
    """The part below a heading, up to the next one of its level or above."""
    level = re.search(rf"^(#+) {re.escape(title)}$", text, re.M)
    assert level, f"no heading {title}"
    return re.split(rf"^#{{1,{len(level[1])}}} ", text[level.end() :], maxsplit=1, flags=re.M)[0]


def keys_of(text: str) -> set[str]:
    return {found[1] for row in rows(text) if (found := re.fullmatch(r"`([^`]+)`", row[0]))}


CONFIG = """
public_url: https://guest.example.org
manage: {listen: "127.0.0.1:8081", url: "https://manage.example.org"}
servers: [{name: media, upstream: "http://127.0.0.1:8096", policy: hls}]
managers: [{name: alice, token: "sha256:%s", may: ["media:*"]}]
guests: {fields: [{name: company, label: Company, type: text}]}
webhooks: [{name: hook, url: "https://hooks.example.org/", secret: "a secret of sixteen"}]
"""


@pytest.fixture
def config_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[Way, set[str]], dict[Way, set[str]]]:
    """What the loader asks for at each place of config.yaml: keys it knows, keys that are yet to come."""
    known: dict[Way, set[str]] = {}
    later: dict[Way, set[str]] = {}
    plain = Section.__init__

    def recording(self: Section, source: Source, data: Any, way: Way, keys: Any, to_come: Any = ()) -> None:
        known[way], later[way] = set(keys), set(to_come)
        plain(self, source, data, way, keys, to_come)

    monkeypatch.setattr(Section, "__init__", recording)
    (tmp_path / "config.yaml").touch(mode=0o600)
    (tmp_path / "config.yaml").write_text(CONFIG % ("0" * 64))
    load_config(tmp_path / "config.yaml")
    return known, later


def below(found: dict[Way, set[str]], top: Way) -> set[str]:
    """The keys at a place, and those of the mappings in it as `mapping.key`; lists have tables of their own."""
    return {
        ".".join(map(str, (*way[len(top) :], key)))
        for way, keys in found.items()
        if way[: len(top)] == top and not any(isinstance(step, int) for step in way[len(top) :])
        for key in keys
    }


def test_every_key_of_config_yaml(config_keys: tuple[dict[Way, set[str]], dict[Way, set[str]]]) -> None:
    text = (DOCS / "config.md").read_text()
    known, _ = config_keys
    # The sections of a theme are the same for the deployment and a server, and documented once.
    themes = {way[2:]: keys for way, keys in known.items() if way[:3] == ("servers", 0, "theme")}
    assert themes == {way: keys for way, keys in known.items() if way[:1] == ("theme",)}
    known = {way: keys for way, keys in known.items() if way[:3] != ("servers", 0, "theme")}
    assert keys_of(section(text, "The deployment")) == below(known, ())
    assert keys_of(section(text, "A server")) == below(known, ("servers", 0))
    assert keys_of(section(text, "What guests are asked")) == below(known, ("guests", "fields", 0))
    assert keys_of(section(text, "A manager")) == below(known, ("managers", 0))
    assert keys_of(section(text, "A webhook")) == below(known, ("webhooks", 0))


def test_no_key_of_config_yaml_is_yet_to_come(config_keys: tuple[dict[Way, set[str]], dict[Way, set[str]]]) -> None:
    assert below(config_keys[1], ()) == set(), "name them in docs/config.md"


def test_keys_of_a_policy_that_are_yet_to_come() -> None:
    found = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows((DOCS / "policies.md").read_text())}
    names = {
        "policy": "the policy",
        "step": "a request of `item.resolve",
        "prepare": "a request of `prepare",
        "kind": "a kind",
        "rule": "a rule",
        "guest_access": "guest_access",
        "upstream": "upstream",
    }
    for sort, later in shape_reader.LATER.items():
        assert set(later) <= found[names[sort]], sort


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        (
            "Keys",
            "server verified protects_itself item item.id item.ignore_case item.resolve item.kind patterns"
            " patterns.graphql patterns.jwt kinds shared origins paths paths.ignore_case cookies pass drop replace"
            " guest_access guest_access.links_per_item guest_access.on_revoke"
            " guest_access.preview guest_access.default_days guest_access.max_days guest_access.max_clicks"
            " guest_access.require guest_access.interactions guest_access.cast upstream upstream.headers upstream.query"
            " upstream.basic upstream.login upstream.login.request upstream.login.json upstream.login.form"
            " upstream.login.headers upstream.login.secrets upstream.login.again upstream.jwt upstream.jwt.as"
            " upstream.jwt.key upstream.jwt.alg upstream.jwt.minutes upstream.jwt.claims examples",
        ),
        (
            "A request of `item.resolve`",
            "request at json headers checksum checksum.name checksum.sha1 checksum.sha256 checksum.sha384"
            " checksum.sha512 id gone not_started ended was_live vars",
        ),
        (
            "A kind",
            "like guest_access page_urls open player player.src player.poster player.file player.as player.chat"
            " prepare release exclusive beside allow interactions",
        ),
        (
            "A rule in its long form",
            "request at send json max body body.type body.max answer answer.status answer.json answer.xml capture"
            " protocol messages binary stanzas follow follow.as follow.to",
        ),
        ("Examples", "with allow deny"),
    ],
)
def test_every_key_of_a_policy(heading: str, keys: str) -> None:
    text = section((DOCS / "policies.md").read_text(), heading)
    text = text.split("\n### ")[0]
    assert keys_of(text) == set(keys.split())


def test_the_reader_of_policies_knows_the_documented_keys_and_no_others() -> None:
    """Every tuple of keys that the readers accept, against the first column of the tables."""
    nodes = [
        node
        for one in (document, rule_reader, step_reader)
        for node in ast.walk(ast.parse(Path(one.__file__).read_text()))
    ]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    tuples = [call.args[2] for call in calls if getattr(call.func, "attr", "") == "mapping"]
    # Two long ones have a name of their own.
    named = [node for node in nodes if isinstance(node, ast.Assign)]
    tuples += [node.value for node in named if getattr(node.targets[0], "id", "") in ("known", "keys")]
    accepted = {key for one in tuples if isinstance(one, ast.Tuple) for key in ast.literal_eval(one)}
    head = (DOCS / "policies.md").read_text().partition("## Rules")[0]
    documented = {key.rpartition(".")[2] for key in keys_of(head)}
    assert accepted - {"kind"} == documented - {"kind"}


def test_the_policy_in_the_document_is_one() -> None:
    text = (DOCS / "policies.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert example
    assert load_policy_text(example[1]).title == "Village cinema"


def test_every_reason_with_its_status() -> None:
    found = [(row[0].strip("`"), row[1]) for row in rows((DOCS / "reasons.md").read_text()) if row[0] != "reason"]
    assert found == [(str(reason), str(reason.status)) for reason in Reason]


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for command in group.commands.values():
        path = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield from commands(command, path)
        else:
            yield path, command


COMMANDS = dict(commands(main, "gateway"))


@pytest.mark.parametrize(("path", "command"), COMMANDS.items(), ids=list(COMMANDS))
def test_every_command_with_its_options(path: str, command: click.Command) -> None:
    text = section((DOCS / "commands.md").read_text(), path)
    usage = re.match(r"\n\n`(.*)`\n", text)
    said = set(re.findall(r"--[a-z-]+", usage[1])) if usage else set()
    has = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}
    assert said == {option for option in has if option.startswith("--")} - {"--config"}


def test_no_command_is_documented_that_is_not_there() -> None:
    said = re.findall(r"^## (gateway .*)$", (DOCS / "commands.md").read_text(), re.M)
    assert set(said) == set(COMMANDS)


def test_the_commands_in_the_readme_exist() -> None:
    """`./gw link create …`: the words before the first option are a command."""
    known = {path.removeprefix("gateway ") for path in COMMANDS} | {"test", "bench"}
    for line in re.findall(r"^\s*\./gw ([a-z ]+)", (ROOT / "README.md").read_text(), re.M):
        words = line.split()
        assert words[0] in known or " ".join(words[:2]) in known, line


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_readme_says_what_became_of_aioredis() -> None:
    assert "`redis.asyncio` is aioredis, merged into redis-py 4.2" in (ROOT / "README.md").read_text()


def test_each_test_that_the_security_page_names_is_there() -> None:
    named = set(re.findall(r"tests/[a-z_/]+(?:\.py)?", (ROOT / "docs" / "security.md").read_text()))
    assert len(named) > 10
    assert [one for one in named if not (ROOT / one).exists()] == []
