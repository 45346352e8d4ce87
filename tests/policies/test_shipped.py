"""What is true of every policy that comes with the gateway: enough examples, a schema for editors, a test of it.

`gateway check` runs the examples; here it is seen that there are some, and that `verified` leads to something.
Credentials come from the environment, which has none here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gateway.policy.load import load_policy

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "policies").glob("*.yaml"))


@pytest.fixture(params=POLICIES, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_it_has_eight_requests_that_pass_and_fifteen_that_do_not(file: Path) -> None:
    examples = load_policy(file, strict_env=False).examples
    for said, least in ((examples.allow, 8), (examples.deny, 15)):
        assert len({one.text for one in said}) >= least
        assert len({one.text for one in said}) == len(said), "none twice"


def test_every_reader_of_yaml_reads_the_same(file: Path) -> None:
    """The one in C takes `{request: GET /x?}`, others don't, and which one is installed nobody should have to know."""
    text = file.read_text()
    assert yaml.load(text, yaml.SafeLoader) == yaml.load(text, yaml.CSafeLoader)


def test_its_first_line_names_the_schema(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=policy.schema.json"
    assert (file.parent / "policy.schema.json").is_file()


def test_what_verified_it_is_there(file: Path) -> None:
    """A version, a day, and a test that tries this very policy."""
    said = load_policy(file, strict_env=False).verified
    assert re.search(r"\d{4}-\d{2}-\d{2}", said), said
    tests = re.findall(r"tests/policies/test_\w+\.py", said)
    assert tests, said
    for test in tests:
        assert (ROOT / test).is_file(), test
        assert re.search(rf'"{file.stem}"|\b{re.escape(file.name)}\b', (ROOT / test).read_text()), f"{test} uses it"


def test_operators_find_a_page_about_it(file: Path) -> None:
    """docs/servers/ has one for each, which names the policy and is linked from where they look."""
    page = ROOT / "docs" / "servers" / f"{file.stem}.md"
    assert f"policies/{file.name}" in page.read_text()
    linked = (ROOT / "docs" / "policies.md").read_text() + (ROOT / "README.md").read_text()
    assert f"servers/{page.name}" in linked


def test_channels_are_not_for_guests(file: Path) -> None:
    """Neither channels nor collections, where the server tells; where it can't the page says how to keep them out."""
    kinds = load_policy(file, strict_env=False).kinds
    told = {"channel", "collection", "folder"} & set(kinds)
    assert not [name for name in told if kinds[name].guest_access]
    if file.stem in ("nginx-rtmp", "icecast", "mediamtx", "node-media-server", "galene"):
        assert "#channels" in (ROOT / "docs" / "servers" / f"{file.stem}.md").read_text()
