"""What a Dockerfile says, as values: enough of the language for ours, and an error for all else.

Read by tools/image.py, which follows the steps without Docker, and by tests/deploy/test_image.py.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template


class NotUnderstoodError(Exception):
    """The sentence that is shown."""


@dataclass(frozen=True)
class Step:
    """One instruction: `word` in upper case, `--name=value` flags, and the rest as it stands."""

    line: int
    word: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The exec form (a JSON list) or the words."""
        if self.text.startswith("["):
            found: list[str] = json.loads(self.text)
            return found
        return shlex.split(self.text)

    @property
    def command(self) -> list[str]:
        """What is run: the exec form as it is, all else by the shell."""
        return self.words if self.text.startswith("[") else ["/bin/sh", "-c", self.text]


@dataclass
class Stage:
    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, word: str) -> Step | None:
        return next((step for step in reversed(self.steps) if step.word == word), None)


KNOWN = (
    *("RUN", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE"),
    *("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD", "LABEL"),
)


def parse(text: str) -> list[Stage]:
    stages: list[Stage] = []
    for number, line in _lines(text):
        word, _, rest = line.partition(" ")
        word = word.upper()
        flags: dict[str, str] = {}
        while found := re.match(r"--([a-z-]+)=(\S+)\s+", rest.lstrip()):
            flags[found[1]] = found[2]
            rest = rest.lstrip()[found.end() :]
        step = Step(number, word, flags, rest.strip())
        if word == "FROM":
            base, *named = step.text.split()
            stages.append(Stage(base, named[1] if named else str(len(stages))))
        elif word not in KNOWN or not stages:
            raise NotUnderstoodError(f"line {number}: {word} is not understood here")
        else:
            stages[-1].steps.append(step)
    return stages


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Instructions with the number of their first line: comments gone, continued lines joined."""
    held, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not held and not line.strip()):
            continue
        began = began if held else number
        held += line.rstrip().removesuffix("\\")
        if not line.rstrip().endswith("\\"):
            yield began, held.strip()
            held = ""


def environment(pairs: Iterable[Step], before: dict[str, str]) -> dict[str, str]:
    """The variables after these ENV steps. `$NAME` is what it was before the step."""
    known = dict(before)
    for step in pairs:
        fresh = {}
        for pair in step.words:
            name, equals, value = pair.partition("=")
            if not equals:
                raise NotUnderstoodError(f"line {step.line}: ENV NAME=value is understood, not {pair}")
            fresh[name] = Template(value).safe_substitute(defaultdict(str, known))
        known |= fresh
    return known


def ignored(patterns: Iterable[str], path: str) -> bool:
    """Whether .dockerignore keeps this file out of the context: the last pattern that matches it, or a folder
    above it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    out = False
    for line in patterns:
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keep = pattern.startswith("!")
        if any(_matcher(pattern.lstrip("!").strip("/")).fullmatch(one) for one in above):
            out = not keep
    return out


def _matcher(pattern: str) -> re.Pattern[str]:
    spelled = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(spelled)


def context(root: Path) -> list[str]:
    """The files that a build is sent, as paths below the checkout."""
    patterns = (root / ".dockerignore").read_text().splitlines()
    tops = [top for top in root.iterdir() if top.name != ".git" and not ignored(patterns, top.name)]
    files = [file for top in tops for file in (top.rglob("*") if top.is_dir() else [top]) if file.is_file()]
    names = sorted(file.relative_to(root).as_posix() for file in files)
    return [name for name in names if not ignored(patterns, name)]
