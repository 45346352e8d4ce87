"""How Kaltura reads a request: Apache in front, then one of two readers of the same path (kaltura/server).

`pairs`   alpha/apps/kaltura/lib/request/infraRequestUtils.class.php, getUrlRequestParams: playManifest and api_v3
`route`   vendor/symfony/controller/sfRouting.class.php, parse: thumbnail, serveFlavor and the other actions

They disagree about which of two is meant, and that is the trap.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import parse_qsl, unquote, unquote_plus


def apache(raw: str) -> str | None:
    """The path as PHP gets it: decoded once, dots and double slashes taken away. None: Apache's own 404."""
    if re.search(r"%2f|%00", raw, re.IGNORECASE):  # AllowEncodedSlashes is off where nobody turned it on
        return None
    path = unquote(raw)
    tail = "/" if path.endswith("/") else ""
    path = posixpath.normpath(re.sub("/+", "/", path))
    return path if path.endswith("/") else path + tail


# configurations/apache/conf.d/enabled.kaltura.conf.template: every action has many addresses
_ACTIONS = "playManifest|thumbnail|raw|download|embedPlaykitJs|embedIframeJs"
_REWRITES = (
    (re.compile(r"^/(.*)/swfparams/(.*)$"), r"/\1"),
    (re.compile(rf"^/(?:s/)?p/[-0-9]+(?:/sp/[-0-9]+)?/({_ACTIONS})/(.*)$"), r"/index.php/extwidget/\1/\2"),
    # this one finds its word anywhere in the path
    (re.compile(r"^.*(?<!extwidget)/serveFlavor/(.*)$"), r"/index.php/extwidget/serveFlavor/\1"),
    (re.compile(r"^/(kwidget|downloadUrl)/(.*)$"), r"/index.php/extwidget/\1/\2"),
    (re.compile(r"^/api/(.*)$"), r"/api_v3/index.php/\1"),
    (re.compile(r"^.*/?api_v3/service/(.*)$"), r"/api_v3/index.php/service/\1"),
)


def rewrite(path: str) -> str:
    for pattern, to in _REWRITES:
        new = pattern.sub(to, path)
        if new != path and "swfparams" not in pattern.pattern:
            return new
        path = new
    return path


def pairs(path: str, query: str) -> dict[str, str]:
    """First of the path wins, path beats query; empty parts and parts of the script's own name are dropped."""
    script = "/api_v3/index.php" if path.startswith("/api_v3") else "/index.php"
    parts = [part for part in path.split("/") if part not in script.split("/")]
    found: dict[str, str] = {}
    for at in range(0, len(parts), 2):
        if parts[at] == "0":  # false to PHP: its loop ends here
            break
        found.setdefault(parts[at], parts[at + 1] if at + 1 < len(parts) else "")
    return {**php_query(query), **found}


def route(path: str, query: str, form: str = "") -> dict[str, str]:
    """Pairs glued into a query string and read again: LAST wins, and a `&` in a value begins a new pair.

    A body beats the path, the path beats the query (vendor/symfony/request/sfWebRequest.class.php).
    """
    parts = re.sub("/+", "/", path).removeprefix("/index.php/extwidget/").split("/")[1:]
    glued = "&".join(f"{parts[at]}={parts[at + 1]}" for at in range(0, len(parts) - 1, 2))
    return {**php_query(query), **php_query(glued), **php_query(form)}


def php_query(text: str) -> dict[str, str]:
    """parse_str for plain names: the last of several wins."""
    return dict(parse_qsl(text, keep_blank_values=True))


def php_array(text: str, name: str) -> dict[str, str]:
    """`config[a]=1&config[b]=2` as PHP reads it."""
    found = re.findall(rf"(?:^|&){name}(?:\[|%5B)([^\]%&]+)(?:\]|%5D)=([^&]*)", text)
    return {key: unquote_plus(value) for key, value in found}
