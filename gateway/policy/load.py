"""Policies from their files: read, check, compile, run the examples. Whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.errors import BadFile
from gateway.policy.compile import compile_policy
from gateway.policy.document import read_document
from gateway.policy.examples import look_over, run_examples
from gateway.policy.model import Policy
from gateway.yaml_source import Source, read, read_text


def load_policy(
    path: Path, *, shown: str | None = None, environ: Mapping[str, str] | None = None, strict_env: bool = True
) -> Policy:
    """Raises BadFile with every fault. `strict_env`: an unset `${NAME}` is a fault, as it is for a policy
    that a server uses; `check` passes False for shipped policies nobody uses."""
    source = read(path, shown=shown, environ=environ)
    return _load(source, path.stem, strict_env)


def load_policy_text(text: str, *, name: str = "policy", environ: Mapping[str, str] | None = None) -> Policy:
    """As `load_policy`, for a text (tests, tools)."""
    return _load(read_text(text, name=f"{name}.yaml", environ=environ), name, True)


def _load(source: Source, name: str, strict_env: bool) -> Policy:
    if strict_env:
        source.report_unset()
    document = read_document(source)
    policy = None
    if document is not None:
        look_over(document, source)
        policy = compile_policy(name, document, source)
    # With values of the environment missing nobody can say how an example should come out.
    if policy is not None and not source.faults and not source.unset:
        run_examples(policy, source)
    if source.faults or policy is None:
        raise BadFile(sorted(source.faults))
    return policy
