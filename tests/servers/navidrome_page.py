"""The page of a Navidrome share, and the files of its bundle."""

from __future__ import annotations

import html
import json
from typing import Any

# ui/vite.config.js: `base` is "./", so a share page asks for these below /share/.
_BUNDLE = "index-Fk3w9Q.js"
ASSETS = {
    f"assets/{_BUNDLE}": "text/javascript",
    "manifest.webmanifest": "application/manifest+json",
    "favicon-32x32.png": "image/png",
    "robots.txt": "text/plain; charset=utf-8",
}
# What ui/src/share/SharePlayer.jsx does with the page's state, and no more of it.
SCRIPT = """const config = JSON.parse(window.__APP_CONFIG__), info = JSON.parse(window.__SHARE_INFO__);
const at = path => (config.shareURL || config.baseURL) + "/share/" + path;
document.title = info.description;
for (const track of info.tracks) {
  const cover = new Image(), sound = new Audio(at("s/" + track.id));
  cover.src = at("img/" + track.id + "?size=300&square=true");
  cover.alt = track.title;
  sound.controls = true;
  document.getElementById("root").append(cover, sound);
}
"""


def write_page(config: dict[str, Any], shown: str, *, url: str, title: str, image: str) -> str:
    """server/serve_index.go: state as JSON in a string in JavaScript, metadata as Open Graph."""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Navidrome</title>
<link rel="icon" type="image/png" sizes="32x32" href="/favicon-32x32.png">
<link rel="manifest" href="./manifest.webmanifest">
<meta property="og:url" content="{html.escape(url)}">
<meta property="og:title" content="{html.escape(title)}">
<meta property="og:image" content="{html.escape(image)}">
<script>
  window.__APP_CONFIG__ = {_in_script(json.dumps(config, separators=(",", ":")))}
</script>
<script>
  window.__SHARE_INFO__ = {_in_script(shown)}
</script>
<script type="module" src="./assets/{_BUNDLE}"></script>
</head><body><div id="root"></div></body></html>
"""


def _in_script(text: str) -> str:
    """As Go's html/template writes a string into a script."""
    quoted = json.dumps(text)
    for plain in "<>&'+":
        quoted = quoted.replace(plain, f"\\u{ord(plain):04x}")
    return quoted.replace("/", "\\/")
