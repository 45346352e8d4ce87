"""What config.yaml needs is made so that config.yaml takes it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from gateway.cli import main
from gateway.config_file import load_config


def test_a_secret_is_long_random_and_usable(run, deployment: Path) -> None:
    first, second = run("secret"), run("secret")
    assert first.exit_code == 0
    assert first.stdout != second.stdout
    (deployment / "key").write_text(first.stdout)
    (deployment / "key").chmod(0o600)
    with (deployment / "config.yaml").open("a") as config:
        config.write("secrets: [file:key]\n")
    assert load_config(deployment / "config.yaml").secrets == (first.stdout.strip().encode(),)


def test_a_password_is_asked_twice_and_not_echoed(run) -> None:
    found = run("password", stdin="correct horse\ncorrect horse\n")
    assert found.exit_code == 0
    phc = found.stdout.strip().splitlines()[-1]
    assert phc.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "correct horse" not in found.output
    Argon2id.verify_phc_encoded(b"correct horse", phc)


def test_a_password_from_standard_input(run) -> None:
    found = run("password", "--stdin", stdin="päßwörd 1\r\nmore\n")
    Argon2id.verify_phc_encoded("päßwörd 1".encode(), found.stdout.strip())


def test_ctrl_c_at_the_question_is_exit_130(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.hidden_prompt_func", interrupted)
    with pytest.raises(SystemExit) as left:
        main(["password"], prog_name="gateway")
    assert left.value.code == 130


def test_a_short_password_is_refused(run) -> None:
    found = run("password", "--stdin", stdin="short\n")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "8 to 1024 characters" in found.stderr


def test_a_token_is_shown_once_with_its_line(run, deployment: Path) -> None:
    found = run("token", "create")
    made, line = found.stdout.splitlines()
    assert line == f'token: "sha256:{hashlib.sha256(made.encode()).hexdigest()}"'
    with (deployment / "config.yaml").open("a") as config:
        config.write(f'managers:\n  - name: al\n    {line}\n    may: ["tv:*"]\n')
    assert load_config(deployment / "config.yaml").managers[0].token == line[8:-1]
