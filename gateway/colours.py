"""Colours of a theme: the three that an operator writes, and what the pages need of them.

Rule: everything that is read stands out from what is behind it as WCAG 2.2 AA asks, 4.5:1 for text and
links, 3:1 for the edges of fields. What is written is checked for it (`too_faint`); what is derived
(softer text, lines, the button's text, the colour of mistakes) is moved until it holds.

Why hex alone: a colour is written into a style sheet, and this is the one notation that can hold nothing
else. Why derived and not written: a dozen colours that fit together are a designer's work, and each of
them could be the one that nobody can read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

TEXT_RATIO = 4.5  # WCAG 1.4.3
EDGE_RATIO = 3.0  # WCAG 1.4.11
_STEPS = 40

_HEX = re.compile(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")


@dataclass(frozen=True, slots=True)
class Colours:
    """`#rrggbb` each."""

    accent: str
    background: str
    text: str


# As in static/guest.css and static/dark.css.
LIGHT = Colours(accent="#2f5fd0", background="#f3f5f9", text="#1b2230")
DARK = Colours(accent="#8fb1ff", background="#12151c", text="#eceff5")


@dataclass(frozen=True, slots=True)
class Palette:
    """The custom properties of static/guest.css, by their names with - for _."""

    ground: str
    card: str
    text: str
    soft: str
    line: str
    hair: str
    accent: str
    accent_strong: str
    on_accent: str
    wrong: str
    wrong_ground: str

    def rule(self) -> str:
        """As a rule of a style sheet."""
        return "".join(f"  --{one.name.replace('_', '-')}: {getattr(self, one.name)};\n" for one in fields(self))


def colour(written: object) -> str:
    """`#rgb` or `#rrggbb`, as the latter in small letters. Raises ValueError."""
    if not isinstance(written, str) or not _HEX.fullmatch(written):
        raise ValueError('must be a colour such as "#2f5fd0", in quotes (# begins a comment in YAML)')
    digits = written[1:].lower()
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def contrast(one: str, other: str) -> float:
    """The contrast ratio as WCAG 2 defines it, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def too_faint(of: Colours) -> Iterator[tuple[str, str]]:
    """Which of the colours can't be read, and why: text and accent on the background and on the card."""
    card = _card(of.background)
    for name, value in (("text", of.text), ("accent", of.accent)):
        worst = min((of.background, card), key=lambda ground: contrast(value, ground))
        ratio = contrast(value, worst)
        if ratio < TEXT_RATIO:
            behind = f"the background {of.background}"
            if worst != of.background:
                behind = f"{worst} (the form, on {behind})"
            # Cut and not rounded: 4.499 is not 4.5.
            found = int(ratio * 100) / 100
            yield name, f"{value} on {behind} has a contrast of {found:g}:1; {TEXT_RATIO}:1 is needed (WCAG 2.2 AA)"


def palette(of: Colours) -> Palette:
    """Everything the pages need, of colours that pass `too_faint`."""
    ground, card = of.background, _card(of.background)
    # White where it can be read: at least one of the two always can.
    on_accent = "#ffffff" if contrast("#ffffff", of.accent) >= TEXT_RATIO else "#000000"
    wrong_base = "#b3261e" if _luminance(ground) > _luminance(of.text) else "#ffb4ab"
    wrong_ground = _mix(card, wrong_base, 0.08)
    return Palette(
        ground=ground,
        card=card,
        text=of.text,
        soft=_towards(_mix(of.text, card, 0.35), of.text, (ground, card), TEXT_RATIO),
        line=_towards(_mix(of.text, card, 0.55), of.text, (ground, card), EDGE_RATIO),
        hair=_mix(card, of.text, 0.14),
        accent=of.accent,
        accent_strong=_mix(of.accent, "#000000" if on_accent == "#ffffff" else "#ffffff", 0.2),
        on_accent=on_accent,
        wrong=_towards(wrong_base, of.text, (ground, card, wrong_ground), TEXT_RATIO),
        # It holds text as well.
        wrong_ground=wrong_ground if contrast(of.text, wrong_ground) >= TEXT_RATIO else card,
    )


def for_the_dark(light: Colours) -> Colours:
    """The usual dark, with this accent made as light as it must be there."""
    card = _card(DARK.background)
    accent = _towards(light.accent, "#ffffff", (DARK.background, card), TEXT_RATIO)
    return Colours(accent=accent, background=DARK.background, text=DARK.text)


def _card(background: str) -> str:
    """What stands on the background is a little nearer to white."""
    return _mix(background, "#ffffff", 0.7 if _luminance(background) > 0.5 else 0.05)


def _towards(start: str, end: str, grounds: tuple[str, ...], ratio: float) -> str:
    """The first colour on the way from one to the other that stands out from all of these."""
    for step in range(_STEPS + 1):
        found = _mix(start, end, step / _STEPS)
        if all(contrast(found, ground) >= ratio for ground in grounds):
            return found
    return end


def _mix(one: str, other: str, share: float) -> str:
    parts = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def _channels(value: str) -> tuple[int, int, int]:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _luminance(value: str) -> float:
    """Relative luminance, WCAG 2."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, _channels(value))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
