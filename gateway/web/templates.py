"""The templates of our pages, and those of a theme's folder in their place.

Rule: a template escapes whatever it shows, and knows every name it uses. Ours are compiled when the
program starts. A theme's are examined before they are put in force (`examine`): syntax, names, texts,
what they extend, and that nothing of a guest's is shown unescaped. What is wrong only when a page is shown
(a missing attribute, a division by nothing) is a line in the log, and the guest gets our own page.

Why a sandbox for them: themes are passed around, and a template of Jinja's is a program. Here it reads the
values of its page and nothing of the gateway's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gateway.yaml_source import did_you_mean

FOLDER = Path(__file__).parent.parent / "templates"
SHIPPED = "shipped"  # `{% extends "shipped/entry.html" %}`: ours, where a theme has one of that name
_MANAGERS = "manage_"  # managers' pages have no theme

Trouble = tuple[int, str]  # line, what is wrong

_SETTINGS: Any = {
    "undefined": jinja2.StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "auto_reload": False,
}


@cache
def shipped() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, **_SETTINGS)
    environment.filters["attribute_json"] = _attribute_json
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def themed(overrides: Mapping[str, str]) -> jinja2.Environment:
    """Ours with these in the place of those of the same name. They must have been examined."""
    if not overrides:
        return shipped()
    environment = _sandbox(overrides)
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def _sandbox(overrides: Mapping[str, str]) -> jinja2.Environment:
    ours = jinja2.FileSystemLoader(FOLDER)
    loader = jinja2.ChoiceLoader([jinja2.DictLoader(overrides), ours, jinja2.PrefixLoader({SHIPPED: ours})])
    environment = ImmutableSandboxedEnvironment(loader=loader, autoescape=True, **_SETTINGS)
    environment.filters["attribute_json"] = _attribute_json
    return environment


def _attribute_json(value: object) -> str:
    """JSON for a data attribute; the attribute's own escaping is the template's."""
    return json.dumps(value, ensure_ascii=False)


def guests_templates() -> list[str]:
    """Names of those that a theme may replace."""
    return sorted(path.name for path in FOLDER.glob("*.html") if not path.name.startswith(_MANAGERS))


# --- what a theme's template may hold -------------------------------------------------------------


def examine(overrides: Mapping[str, str], has_text: Callable[[str], bool]) -> dict[str, list[Trouble]]:
    """What is wrong with each; those that are fine are not in it. `has_text`: whether a text has this key."""
    environment = _sandbox(overrides)
    found = {}
    for name, source in overrides.items():
        troubles = list(_troubles(environment, overrides, name, source, has_text))
        if troubles:
            found[name] = troubles
    return found


def _troubles(
    environment: jinja2.Environment,
    overrides: Mapping[str, str],
    name: str,
    source: str,
    has_text: Callable[[str], bool],
) -> Iterator[Trouble]:
    try:
        tree = environment.parse(source)
        environment.compile(source)  # names of filters and tests
    except jinja2.TemplateSyntaxError as error:
        yield error.lineno, error.message or "can't be read"
        return
    except (RecursionError, OverflowError, ValueError, SyntaxError, MemoryError) as error:
        yield 1, f"can't be compiled: {type(error).__name__}"
        return
    # Inside conditions they would be found only when a page is shown.
    for node, known, sort in (
        *((one, environment.filters, "filter") for one in tree.find_all(nodes.Filter)),
        *((one, environment.tests, "test") for one in tree.find_all(nodes.Test)),
    ):
        if node.name not in known:
            yield node.lineno, f"there is no {sort} {node.name}{did_you_mean(node.name, known)}"
    yield from _referred(tree, name, overrides)
    yield from _unescaped(tree)
    yield from _unknown_names(tree, name)
    for call in tree.find_all(nodes.Call):
        key = call.args[0] if call.args else None
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and isinstance(key, nodes.Const):
            text = str(key.value)
            if not has_text(text) and not has_text(f"{text}.other"):
                yield call.lineno, f"there is no text {text}"


def _referred(tree: nodes.Template, name: str, overrides: Mapping[str, str]) -> Iterator[Trouble]:
    """Only by name: what a template is made of must be known before it is shown."""
    ours = guests_templates()
    known = {*ours, *overrides, *(f"{SHIPPED}/{one}" for one in ours)}
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        word = getattr(node, "template", None)
        if not isinstance(word, nodes.Const) or not isinstance(word.value, str):
            yield node.lineno, "the name of another template must be written out"
        elif word.value not in known:
            yield node.lineno, f"there is no template {word.value}{did_you_mean(word.value, known)}"
        elif word.value == name:
            yield node.lineno, f"a template can't be made of itself; ours is {SHIPPED}/{name}"


def _unescaped(tree: nodes.Template) -> Iterator[Trouble]:
    for block in tree.find_all((nodes.ScopedEvalContextModifier, nodes.EvalContextModifier)):
        yield block.lineno, "escaping can't be turned off"
    for filtered in tree.find_all(nodes.Filter):
        of_value = filtered.name == "safe" and not isinstance(filtered.node, nodes.Const)
        by_name = any(isinstance(word, nodes.Const) and word.value == "safe" for word in filtered.args)  # map("safe")
        if of_value or by_name:
            yield filtered.lineno, "safe is for texts that stand in the template; all else is escaped"


def _unknown_names(tree: nodes.Template, name: str) -> Iterator[Trouble]:
    """A name that its page does not have would fail when the page is shown."""
    allowed = _names_of(name)
    lines: dict[str, int] = {}
    for used in tree.find_all(nodes.Name):
        lines.setdefault(used.name, used.lineno)
    for unknown in sorted(meta.find_undeclared_variables(tree) - allowed):
        yield lines.get(unknown, 1), f"unknown name {unknown}{did_you_mean(unknown, allowed)}"


@cache
def _names_of(name: str) -> frozenset[str]:
    """What this template can see: what its page is shown with, and all that this page is put together of. Of a
    theme's own parts, whatever any page is shown with."""
    ours = guests_templates()
    with_parts = {one: _with_parts(one) for one in ours}
    # A part sees what the pages see that it is in.
    pages = [one for one in ours if name in with_parts[one]] if name in ours else ours
    found: set[str] = set()
    for one in {part for page in (*pages, "base.html") for part in with_parts[page]}:
        found |= meta.find_undeclared_variables(_parsed(one))
    return frozenset(found | {"locale", "t", "theme", "logo", "site", "static", "own"})


def _with_parts(name: str) -> set[str]:
    """A template of ours and what it is put together of, but the frame, which all have."""
    found, left = {name}, [name]
    while left:
        for part in meta.find_referenced_templates(_parsed(left.pop())):
            if part is not None and part not in found and part != "base.html":
                found.add(part)
                left.append(part)
    return found


def _parsed(name: str) -> nodes.Template:
    return shipped().parse((FOLDER / name).read_text())


# --- forms that admit nobody ----------------------------------------------------------------------

# Of each template that shows a form or a part of one: what it must speak of. A page is held to the fields it
# has (`lacking_fields`); this says beforehand what can't be there.
_ASKED = {
    "entry.html": ("form", "pin", "fields", "consent"),
    "entry_answers.html": ("fields",),
    "entry_consent.html": ("consent",),
    "agree.html": ("form", "consent"),
    "waiting.html": ("form",),
}


def lacking_fields(page: str, fields: Collection[str]) -> list[str]:
    """Those of these fields (plain names of ours or of the operator's) that a rendered page has nothing for."""
    there = {"".join(one) for one in _FIELD.findall(page)}
    return [name for name in fields if name not in there]


_FIELD = re.compile(r"""\sname\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def never_asked(overrides: Mapping[str, str]) -> dict[str, list[str]]:
    """What a theme's templates, which have been examined, leave out of the forms they stand in for."""
    environment = _sandbox(overrides)
    found = {}
    for name in overrides:
        said = _spoken_of(environment, overrides, name) if name in _ASKED else set()
        left = [one for one in _ASKED.get(name, ()) if one not in said]
        if left:
            found[name] = left
    return found


def _spoken_of(environment: jinja2.Environment, overrides: Mapping[str, str], name: str) -> set[str]:
    """The names and attributes in what this template shows, all that it is put together of included."""
    found: set[str] = set()
    seen, left = {name}, [name]
    while left:
        one = left.pop()
        ours = one.removeprefix(f"{SHIPPED}/")
        tree = environment.parse(overrides[one] if one in overrides else (FOLDER / ours).read_text())
        found |= {node.name for node in tree.find_all(nodes.Name)} | {
            node.attr for node in tree.find_all(nodes.Getattr)
        }
        # Its own content stands in for that of the template it extends, unless it asks for that too.
        alone = any(block.name == "content" for block in tree.find_all(nodes.Block)) and "super" not in found
        dropped = {node.template.value for node in tree.find_all(nodes.Extends) if alone}  # type: ignore[attr-defined]
        for part in meta.find_referenced_templates(tree):
            if part is not None and part not in seen and part not in dropped:
                seen.add(part)
                left.append(part)
    return found
