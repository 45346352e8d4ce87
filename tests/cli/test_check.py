"""`gateway check` finds what is wrong in config and policies, all of it at once."""

from __future__ import annotations

import json
from pathlib import Path


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_a_good_deployment(run) -> None:
    shipped = len(list((Path(__file__).parents[2] / "policies").glob("*.yaml")))
    found = run("check")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "managing is off: there is no manage: (links are made with `gateway link create`)",
        f"ok: config.yaml, 1 policy of its servers and {shipped} more that are shipped; examples pass",
    ]


def test_one_policy_alone_needs_no_config(run, deployment: Path) -> None:
    (deployment / "config.yaml").unlink()
    assert run("check", "./policy.yaml", "hls").stdout.splitlines()[-1] == "ok: 2 policies; examples pass"
    append(deployment / "policy.yaml", "shred: []\n")
    found = run("check", "./policy.yaml")
    assert (found.exit_code, found.stderr) == (2, "1 error\n")
    assert found.stdout.startswith("policy.yaml:19:1: shred: unknown key (did you mean shared?)")
    missing = run("check", "hsl")
    assert (missing.exit_code, "did you mean hls?" in missing.stderr) == (2, True)
    assert json.loads(run("check", "hls", "--json").stdout)["ok"]


def test_without_a_config_it_says_how_to_get_one(run, deployment: Path) -> None:
    (deployment / "config.yaml").unlink()
    for command in (("check",), ("explain", "GET", "/", "--item", "abc")):
        found = run(*command)
        assert (found.exit_code, "`gateway init` writes a config.yaml" in found.stderr) == (2, True), command


def test_faults_of_config_and_policy_come_together(run, deployment: Path) -> None:
    append(deployment / "config.yaml", "lisen: x\nlog: {format: xml}\n")
    append(deployment / "policy.yaml", "shred: []\n")
    found = run("check")
    assert found.exit_code == 2
    lines = found.stdout.splitlines()
    assert lines[0] == "config.yaml:7:1: lisen: unknown key (did you mean listen?)"
    assert lines[1] == "config.yaml:8:15: log.format: must be text or json"
    assert lines[2].startswith("policy.yaml:19:1: shred: unknown key (did you mean shared?)")
    assert found.stderr == "3 errors\n"


def test_an_example_that_fails_is_an_error(run, deployment: Path) -> None:
    policy = deployment / "policy.yaml"
    policy.write_text(policy.read_text().replace("deny: [GET /hls/xyz789", "deny: [GET /hls/abc123"))
    found = run("check")
    assert found.exit_code == 2
    assert "policy.yaml:18:10: GET /hls/abc123/seg1.ts: should be denied, but line 10 allows it" in found.stdout


def test_an_unset_name_matters_in_a_policy_that_is_used(run, deployment: Path) -> None:
    append(deployment / "policy.yaml", 'verified: "${NOWHERE_SET}"\n')
    found = run("check")
    assert found.exit_code == 2
    assert "policy.yaml:19:11: the environment variable NOWHERE_SET is not set" in found.stdout


def test_a_shared_host_needs_a_server_that_protects_itself(run, deployment: Path) -> None:
    append(deployment / "config.yaml", "    behind: shared_host\n")
    found = run("check")
    assert found.exit_code == 2
    assert found.stdout.startswith(
        "config.yaml:7:13: servers[0].behind: the policy ./policy.yaml does not say protects_itself: true"
    )
    served = run("serve")
    assert served.exit_code == 2
    assert "config.yaml:7:13: servers[0].behind" in served.stderr
    append(deployment / "policy.yaml", "protects_itself: true\n")
    assert run("check").exit_code == 0


def test_a_logo_that_is_no_picture(run, deployment: Path) -> None:
    (deployment / "logo.txt").write_text("x")
    append(deployment / "config.yaml", "theme: {logo: logo.txt}\n")
    found = run("check")
    assert found.exit_code == 2
    assert "config.yaml:7:15: theme.logo: must end in one of" in found.stdout


def test_warnings_stand_apart(run, deployment: Path) -> None:
    config = deployment / "config.yaml"
    config.write_text(config.read_text().replace("guest.localhost", "guest.example.org"))
    found = run("check")
    assert found.exit_code == 0
    assert found.stdout.startswith("warning: config.yaml:1:13: public_url: http://guest.example.org:8080 is not https")


def test_machines_read_json(run, deployment: Path) -> None:
    assert json.loads(run("check", "--json").stdout)["ok"] is True
    append(deployment / "config.yaml", "lisen: x\n")
    found = run("check", "--json")
    assert found.exit_code == 2
    assert json.loads(found.stdout)["errors"] == [
        {"file": "config.yaml", "line": 7, "column": 1, "what": "lisen: unknown key (did you mean listen?)"}
    ]


def test_the_shipped_config_passes(run) -> None:
    sample = Path(__file__).parents[2] / "config.yaml"
    found = run("check", "--config", str(sample))
    assert found.exit_code == 0, found.output
    assert "\nok: " in found.stdout


def test_a_config_without_servers_is_read(run, deployment: Path) -> None:
    (deployment / "config.yaml").write_text("public_url: https://guest.example.org\n")
    found = run("check")
    assert found.exit_code == 0
    assert "there are no servers" in found.stdout
    served = run("serve")
    assert served.exit_code == 2
    assert served.stderr.startswith("config.yaml:1:1: servers: no servers")
