"""What the ids of a server look like, guessed from those that a recording holds: as narrow as they agree."""

from __future__ import annotations

import re
from collections.abc import Sequence

# An id that ends like this is a file's name.
_FILE = re.compile(r"(.*[^./])[.](mp4|m4v|m4a|webm|mkv|mov|avi|mp3|ogg|oga|opus|flac|aac|wav)", re.DOTALL)


class CannotPropose(Exception):
    """The recording does not hold what a policy needs; the text says what."""


def stem(item: str) -> str | None:
    """The name without its ending, where the id is a file's: captions and pictures beside it are called by that."""
    found = _FILE.fullmatch(item)
    return found[1] if found else None


def id_pattern(ids: Sequence[str], *, named: bool = False) -> str:
    """What ids look like, from those that were seen: as narrow as they agree. `named`: the stem becomes {name}."""
    files = [_FILE.fullmatch(one) for one in ids]
    if all(files):
        found = [one for one in files if one]
        name = id_pattern([one[1] for one in found])
        return f"{f'(?P<name>{name})' if named else name}[.]({'|'.join(sorted({one[2] for one in found}))})"
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    if all(re.fullmatch(uuid, one) for one in ids):
        return uuid
    lengths = {len(one) for one in ids}
    if len(lengths) == 1 and min(lengths) >= 16 and all(re.fullmatch(r"[0-9a-f]+", one) for one in ids):
        return f"[0-9a-f]{{{lengths.pop()}}}"
    if all(one.isdigit() for one in ids):
        return "[0-9]{1,18}"
    levels = [[part for one in ids for part in one.split("/")[at : at + 1]] for at in range(ids[0].count("/") + 1)]
    return "/".join(_segment(parts) for parts in levels)


def _segment(parts: Sequence[str]) -> str:
    letters = set("".join(parts))
    classes = "A-Z" if any("A" <= letter <= "Z" for letter in letters) else ""
    classes += "a-z" if any("a" <= letter <= "z" for letter in letters) else ""
    classes += "0-9"
    rest = letters - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    if not rest <= set("._~-"):
        raise CannotPropose(f"ids with {' '.join(sorted(rest - set('._~-')))!r} are left to a policy written by hand")
    more = "".join(letter for letter in "._~" if letter in rest) + ("-" if "-" in rest else "")
    first = f"{classes}{'_' if '_' in rest else ''}"
    return f"[{first}]{{1,64}}" if not more else f"[{first}][{classes}{more}]{{0,63}}"


def another_id(item: str) -> str:
    """An id of the same shape that is another one."""
    name = stem(item)
    if name is not None:
        return another_id(name) + item[len(name) :]
    turned = item[::-1]
    if turned != item and "/" not in item and turned[0].isalnum():
        return turned
    last = item[-1]
    return item[:-1] + ("1" if last != "1" else "2")
