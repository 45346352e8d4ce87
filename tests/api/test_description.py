"""schemathesis calls the API as its own description says, and otherwise, and holds it to its word.

Real items and ids are in what it is given to play with, so that more than refusals are seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import TOKENS, Api
from tests.running import enter

SECONDS = 30
HOOKS = {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(Path(__file__).parents[2])}
CONFIG = """
warnings = false
[generation]
max-examples = 60
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "403", "404", "409", "410", "412"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "410", "413", "415", "429"]
"""


ASKED = """guests:
  fields: [{name: company, label: Company, type: text}, {name: news, label: News, type: checkbox}]
  consent: {text: I agree, version: "2026-11"}
servers:
"""


def real(described: dict[str, Any], links: list[str], guests: list[str]) -> None:
    """Put real values where the description allows any text. Where what does not fit must be refused, they are
    examples; where it is refused in any case (404), nothing else is given."""
    examples = {"server": ["tv"], "item": ["abc123", "other1"], "link": links, "guest": guests}
    values = {"id": [*links, *guests, "0" * 19], "If-Match": ['"1"', '"2"', "*"]}
    for path, operations in described["paths"].items():
        for operation in operations.values():
            parameters = operation.get("parameters", [])
            for one in parameters:
                if one["name"] in examples:
                    one["examples"] = {str(n): {"value": value} for n, value in enumerate(examples[one["name"]])}
                elif one["name"] in values:
                    one["schema"] |= {"enum": values[one["name"]]}
            # A cursor is not made up: it comes from a page before.
            operation["parameters"] = [one for one in parameters if one["name"] != "cursor" or path == "/audit"]
    for name in ("LinkCreate", "AccessPut"):
        properties = described["components"]["schemas"][name]["properties"]
        properties["server"] |= {"enum": ["tv", "nope"]}
        properties["item"] |= {"enum": ["abc123", "other1", "nothing"]}  # others there are none: 410
        del properties["kind"]


@pytest.mark.timeout(240)
async def test_it_does_what_its_description_says_and_refuses_what_it_does_not(api: Api, tmp_path: Path) -> None:
    api.running.gateway.lasting.wrong_tokens.allow(10**9)  # it tries wrong ones too
    made = [await api.link(item) for item in ("abc123", "abc123", "other1")]
    await api.running.reconfigure("servers:\n", ASKED)
    await enter(api.running.port, made[0]["url"], company="ACME", news="1", consent="2026-11")
    guests = [one["id"] for one in (await api.call("GET /guests")).json["guests"]]
    described = (await api.call("GET /openapi.json")).json
    real(described, [one["id"] for one in made], guests)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json",
        "--url", f"http://127.0.0.1:{api.port}/_gateway/api/v1", "--header", f"Authorization: Bearer {TOKENS['alice']}",
        # A deleted link is still known by its id, as deleted: `use_after_free` would have it otherwise.
        "--checks", "all", "--exclude-checks", "use_after_free", "--seed", "1", "--max-time", str(SECONDS),
        "--continue-on-failure", "--no-color",
        cwd=tmp_path, env={**os.environ, **HOOKS}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"Tested: 10" in said, said.decode()
