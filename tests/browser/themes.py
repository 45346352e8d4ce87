"""Two looks for pages in a browser: ours with a name, and one that has everything a theme can have."""

from __future__ import annotations

from pathlib import Path

PLAIN = "theme: {name: Village cinema, notice: 'Doors open at eight. Questions: the box office.'}\n"

# Warm, with a logo, links, a style sheet and a folder of its own, and its own dark.
OWN = """theme:
  name: Lantern Hall
  notice: |
    Please don't pass this link on.
    Questions: the office, from nine to five.
  logo: hall/logo.svg
  colours:
    accent: "#9a2c10"
    background: "#fbf4ea"
    text: "#2b211b"
    dark: {accent: "#ffb38a", background: "#1d1512", text: "#f6ece4"}
  css: hall/hall.css
  folder: hall
  footer:
    - {text: Imprint, url: "https://example.org/imprint"}
    - {text: Help, url: "mailto:help@example.org"}
  privacy_url: https://example.org/privacy
"""
_LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><g fill="none" stroke="#9a2c10" stroke-width="3">
<path d="M16 14h16v20H16zM20 14v-4h8v4M12 34h24v5H12z"/></g>
<path fill="#e0842c" d="M24 18c5 5 4 9 0 13-4-4-5-8 0-13z"/></svg>"""
_CSS = """.card, .button, .field input:not([type="checkbox"]) { border-radius: 0.25rem; }
h1 { font-family: Georgia, "Liberation Serif", serif; }
.masthead { border-block-end: 3px double var(--line); }
"""
_LEAVE = """{% extends "shipped/leave.html" %}
{% block foot %}<p>Come back soon.</p>{% endblock %}
"""
THEMES = {"plain": PLAIN, "own": OWN}


def write_theme(folder: Path) -> None:
    """The files that `OWN` names."""
    (folder / "hall" / "templates").mkdir(parents=True)
    (folder / "hall" / "logo.svg").write_text(_LOGO)
    (folder / "hall" / "hall.css").write_text(_CSS)
    (folder / "hall" / "templates" / "leave.html").write_text(_LEAVE)
