#!/usr/bin/env python3
"""What is missing or wrong in the catalogues of gateway/locales, ready to be filled in.

    .venv/bin/python tools/locales.py            all languages
    .venv/bin/python tools/locales.py de fr      these

Per language: the keys without a text, as lines of YAML with the English text, and what is wrong with the others.
A language that is not there yet is listed whole: its file is begun with that. Exit 1 when there is anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.web.catalogue import FALLBACK, FOLDER, cldr_of, missing, read_catalogue, troubles


def main(languages: list[str]) -> int:
    english = read_catalogue(FOLDER / f"{FALLBACK}.yaml")
    there = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != FALLBACK)
    found = 0
    for language in languages or there:
        if cldr_of(language, {}) is None:
            print(f"CLDR knows no language {language!r}", file=sys.stderr)
            return 2
        texts = read_catalogue(FOLDER / f"{language}.yaml") if language in there else {}
        lines = [
            f"{key}: {json.dumps(_model(key, english), ensure_ascii=False)}"
            for key in missing(language, texts, english)
        ]
        lines += [f"# {key}: {trouble}" for key, trouble in troubles(language, texts, english)]
        found += len(lines)
        if lines:
            print(f"# {language}.yaml")
            print("\n".join(lines), end="\n\n")
    return 1 if found else 0


def _model(key: str, english: Mapping[str, str]) -> str:
    """The English text; of a plural form that English has not, its `other`."""
    return english.get(key) or english[f"{key.rpartition('.')[0]}.other"]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
