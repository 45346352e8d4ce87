"""Whether the suite would notice: each check of the code is taken out in turn, and something here must fail.

    python -m tests.attack.mutants [--list] [--excused] [PART OF A NAME…]

Not part of a normal run (it takes a quarter of an hour). Works on copies of the checkout, never on the checkout
itself. For every function in `CHECKS` it leaves out, one at a time: an `if` with what it does, one side of an `or` or
an `and`, one element of a tuple or text that is looked through, one `strip` or `lower`. `BY_HAND` has what no such rule
finds. What may survive stands in `tests/attack/survivors.py` with its reason, tried with `--excused` only; anything
else that survives is a hole in the suite, and the exit code is 1.
"""

from __future__ import annotations

import ast
import copy
import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

from tests.attack.survivors import SURVIVORS

ROOT = Path(__file__).parents[2]

# File -> functions that check something; empty: all of them.
CHECKS: dict[str, tuple[str, ...]] = {
    "gateway/policy/target.py": (),
    "gateway/policy/decide.py": ("decide", "_query_fits"),
    "gateway/policy/template.py": ("admits", "_fits", "matches"),
    "gateway/policy/automaton.py": ("holds",),
    "gateway/proxy/headers.py": (
        "refused_for", "towards_server", "has_body", "lists", "_named_in_connection", "_words", "_is_plain",
    ),
    "gateway/proxy/door.py": ("handle", "_handle", "_refused_before_rules", "_denied"),
    "gateway/proxy/websocket.py": ("asks_upgrade", "fault_of"),
    "gateway/dispatch.py": ("__call__", "_open", "_answer", "_door"),
    "gateway/web/framing.py": (),
    "gateway/web/edge.py": ("_answer", "_make_request"),
    "gateway/web/same_origin.py": ("foreign",),
    "gateway/web/body.py": ("drained",),
    "gateway/web/session.py": ("load_cookie", "open", "_open", "grant_ids"),
    "gateway/access/servers.py": ("at_host",),
    "gateway/access/authorize.py": ("judge",),
    "gateway/upstream/client.py": ("_url",),
}  # fmt: skip

_LISTED = '"user-agent": ("User-Agent", False),'
_NOT_LISTED = (
    "cookie", "authorization", "x-forwarded-user", "x-original-url", "x-http-method-override", "x_forwarded_for",
    "forwarded",
)  # fmt: skip
BY_HAND: list[tuple[str, str, str]] = [
    *(("gateway/proxy/headers.py", _LISTED, f'{_LISTED} "{name}": ("{name}", True),') for name in _NOT_LISTED),
    ("gateway/proxy/headers.py", 'sent = [("Host", host)]', 'sent = [("Host", headers.get("Host", host))]'),
    ("gateway/proxy/headers.py", 'sent.append(("X-Forwarded-For", client))', "pass"),
    ("gateway/upstream/client.py", "URL(self._base + target, encoded=True)", "URL(self._base + target)"),
    ("gateway/policy/target.py", "MAX_PAIRS = 256", "MAX_PAIRS = 100_000"),
    ("gateway/web/edge.py", "max_line_size=self.head", "max_line_size=100_000"),
    ("gateway/web/edge.py", "max_field_size=self.head", "max_field_size=100_000"),
    ("gateway/web/edge.py", "MAX_HEADERS = 64", "MAX_HEADERS = 1_000"),
    ("gateway/proxy/door.py", "response.force_close()", "pass"),
    ("gateway/dispatch.py", "self._door(visit.target)(visit)", "self.proxy(visit)"),
]  # fmt: skip

CHECKED_FIRST = "gateway/policy/target.py"
PATIENCE = 600.0  # seconds for one run of the suite
LOADED = (  # pytest's plugins want to be loaded by it
    "pytest", "aiohttp.web", "aiohttp_session", "cryptography.fernet", "cryptography.hazmat.primitives.kdf.argon2",
    "redis.asyncio", "jinja2", "yaml", "click", "email_validator", "prometheus_client",
)  # fmt: skip
# In the order in which mutants die soonest.
TESTS = [
    "tests/attack/test_judgement.py",
    "tests/attack/test_lines.py",
    "tests/attack/test_framing.py",
    "tests/attack/test_properties.py",
]
_TRIMS = ("strip", "rstrip", "lstrip", "lower", "upper")


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str
    where: str
    what: str
    source: str

    @property
    def name(self) -> str:
        return f"{self.file.removeprefix('gateway/')} {self.where}: {self.what}"


def mutants() -> Iterator[Mutant]:
    for file, functions in CHECKS.items():
        text = (ROOT / file).read_text()
        tree = ast.parse(text)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and (
                not functions or function.name in functions
            ):
                for what, changed in changes(tree, function):
                    yield Mutant(file, function.name, what, changed)
    for file, old, new in BY_HAND:
        text = (ROOT / file).read_text()
        if old not in text:
            raise LookupError(f"{file} has no {old!r} any more: tell tests/attack/mutants.py")
        yield Mutant(file, "by hand", f"{old} -> {new}", text.replace(old, new))


def changes(tree: ast.Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """What is left out of a function, and the text of the whole file without it."""
    nodes = list(ast.walk(function))
    for index, node in enumerate(nodes):
        for what, change in leavings(node):
            clone = copy.deepcopy(tree)
            original = next(
                one
                for one in ast.walk(clone)
                if isinstance(one, type(function))
                and (one.lineno, one.col_offset) == (function.lineno, function.col_offset)
            )
            change(list(ast.walk(original))[index])
            yield what, ast.unparse(ast.fix_missing_locations(clone))


def leavings(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], object]]]:
    if isinstance(node, ast.If):
        yield f"no `if {ast.unparse(node.test)}`", lambda it: setattr(it, "test", ast.Constant(False))
        if not isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
            yield f"always `if {ast.unparse(node.test)}`", lambda it: setattr(it, "test", ast.Constant(True))
    if isinstance(node, ast.BoolOp):
        word = "or" if isinstance(node.op, ast.Or) else "and"
        for place, part in enumerate(node.values):
            yield f"no `{ast.unparse(part)}` in `{word}`", lambda it, place=place: it.values.pop(place)
    looked = node.comparators[0] if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) else None
    if isinstance(node, ast.comprehension):
        looked = node.iter
    if isinstance(looked, ast.Tuple | ast.Set) and len(looked.elts) > 1:
        for place, element in enumerate(looked.elts):
            yield (
                f"no {ast.unparse(element)} in {ast.unparse(looked)}",
                lambda it, place=place: (it.iter if isinstance(it, ast.comprehension) else it.comparators[0]).elts.pop(
                    place
                ),
            )
    if isinstance(looked, ast.Constant) and isinstance(looked.value, str) and len(looked.value) > 1:
        for letter in looked.value:

            def without(it: ast.AST, letter: str = letter) -> None:
                constant = it.iter if isinstance(it, ast.comprehension) else it.comparators[0]  # type: ignore[attr-defined]
                constant.value = constant.value.replace(letter, "")

            yield f"no {letter!r} in {ast.unparse(looked)}", without
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Constant) and isinstance(node.iter.value, str):
        for letter in node.iter.value:
            yield (
                f"no {letter!r} in {ast.unparse(node.iter)}",
                lambda it, letter=letter: setattr(it.iter, "value", it.iter.value.replace(letter, "")),
            )
    for field, value in ast.iter_fields(node):
        for place, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in _TRIMS:

                def untrimmed(it: ast.AST, field: str = field, place: int = place) -> None:
                    held = getattr(it, field)
                    if isinstance(held, list):
                        held[place] = held[place].func.value
                    else:
                        setattr(it, field, held.func.value)

                yield f"no {child.func.attr} in `{ast.unparse(child)}`", untrimmed


def copied(folder: Path) -> Path:
    for name in ("gateway", "tests", "docs", "policies", "deploy", "pyproject.toml", "config.yaml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "bench", "browser"))
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def dies(mutant: Mutant, folder: Path) -> bool:
    """Whether the suite fails on a copy with this one change. In a fork of this process, which has loaded everything
    but the gateway: starting Python would take longer than most of these runs."""
    target = folder / mutant.file
    good = target.read_text()
    target.write_text(mutant.source)
    try:
        child = os.fork()
        if child == 0:
            status = 3
            try:
                status = suite(folder)
            finally:
                os._exit(status)
        until = time.monotonic() + PATIENCE
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return True  # a suite that hangs does not pass
            time.sleep(0.02)
        return os.waitstatus_to_exitcode(ended[1]) != 0
    finally:
        target.write_text(good)


def suite(folder: Path) -> int:
    os.chdir(folder)
    silence = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(silence, number)
    # What was loaded from the checkout, this file among it, is loaded anew from the copy.
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[:] = [str(folder), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
    sys.dont_write_bytecode = True
    import pytest

    return int(pytest.main(["-x", "-q", "--show-capture=no", "-p", "no:cacheprovider", *TESTS]))


def judge(chosen: list[Mutant], folder: Path, verdicts: Queue[tuple[Mutant, bool]]) -> None:
    copied(folder)
    for mutant in chosen:
        verdicts.put((mutant, dies(mutant, folder)))


def main(arguments: list[str]) -> int:
    wanted = [argument for argument in arguments if not argument.startswith("--")]
    every = list(mutants())
    for text in SURVIVORS:
        if not any(text in one.name for one in every):
            print(f"excuses nothing any more: {text}")
    chosen = [one for one in every if not wanted or any(part in one.name for part in wanted)]
    excused = [one for one in chosen if any(text in one.name for text in SURVIVORS)]
    if "--list" in arguments:
        print(*(one.name for one in chosen), sep="\n")
        return 0
    if "--excused" not in arguments:
        chosen = [one for one in chosen if one not in excused]
    for module in LOADED:
        importlib.import_module(module)
    if any(name.partition(".")[0] in ("gateway", "conftest") for name in sys.modules):
        raise RuntimeError("a change to a module that is loaded already would not be seen")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as top:
        file = CHECKED_FIRST
        if dies(Mutant(file, "", "", (ROOT / file).read_text()), copied(Path(top) / "first")):
            print("the suite fails without any change")
            return 2
        fork = multiprocessing.get_context("fork")
        verdicts: Queue[tuple[Mutant, bool]] = fork.Queue()
        judges = [fork.Process(target=judge, args=(chosen[n::2], Path(top) / str(n), verdicts)) for n in range(2)]
        for one in judges:
            one.start()
        for _ in chosen:
            mutant, died = verdicts.get()
            found = "killed" if died else "excused" if mutant in excused else "SURVIVED"
            counts[found] += 1
            print(f"{found:8}  {mutant.name}", flush=True)
        for one in judges:
            one.join()
    print(*(f"{count} {found}" for found, count in counts.items()), sep=", ")
    return 1 if counts["SURVIVED"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
