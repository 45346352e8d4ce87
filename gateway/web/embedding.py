"""Which other sites may show guest pages inside their own, such as an LMS in an iframe.

Rule: without `session.embed_origins` nobody frames anything. With it those origins do, and only they: not
the guests' own host either, since pages of the media server run there and a page of the same origin may
look into its frames, the entry page with its link among them. Who frames a page no request says; browsers
do not show one that names others in `frame-ancestors`, and they look at every page above it, so a listed
page that is itself in somebody's frame shows nothing.

Why a frame has cookies of its own (`-framed`): what other sites may frame needs `SameSite=None`, and
`Partitioned` keeps one jar for each site above. Opened by itself a link goes on with `Lax` cookies. Under
one name the two would meet where the LMS and the guests' host are of one site, and a browser that sends
two cookies of one name has no session. What `Lax` did in the browser is done here for the other one:
`brought_by_another_site`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from gateway.config import Origin

NOBODY = "'none'"
_SUFFIX = "-framed"


@dataclass(frozen=True, slots=True)
class Embedding:
    """`origins`: who may frame guest pages. `own`: so may pages of the same host, above them in one frame."""

    origins: tuple[Origin, ...] = ()
    own: bool = False

    def __bool__(self) -> bool:
        return bool(self.origins)

    @property
    def ancestors(self) -> str:
        """The value of `frame-ancestors`. An origin's host is letters, digits, `-` and dots: nothing in it ends
        the directive (see `config_texts.embed_origin`)."""
        return " ".join([*(["'self'"] if self.own else ()), *map(str, self.origins)]) or NOBODY

    def framed(self, headers: CIMultiDictProxy[str]) -> bool:
        """Whether the browser says that the answer will stand in a frame, where one may be."""
        return bool(self.origins) and headers.getall("Sec-Fetch-Dest", ()) in (["iframe"], ("iframe",))

    def perhaps_framed(self, headers: CIMultiDictProxy[str]) -> bool:
        """As `framed`, and for browsers that do not say."""
        return bool(self.origins) and headers.get("Sec-Fetch-Dest", "iframe") == "iframe"


def framed_name(name: str) -> str:
    """The cookie that stands for `name` in frames. The prefix, which binds it to the host, stays."""
    return name + _SUFFIX


def is_framed_name(name: str) -> bool:
    return name.endswith(_SUFFIX)


def brought_by_another_site(method: str, headers: CIMultiDictProxy[str]) -> bool:
    """Whether a browser would have kept a `SameSite=Lax` cookie back: a request that another site caused, and
    that is not somebody going to a page. Stricter than browsers, to whom a host beside ours is the same site and
    an `embed` a page."""
    if all(site in ("same-origin", "none") for site in headers.getall("Sec-Fetch-Site", ())):
        return False
    goes = headers.getall("Sec-Fetch-Mode", ()) in (["navigate"], ("navigate",))
    to_a_page = headers.get("Sec-Fetch-Dest") in ("document", "iframe")
    return not (goes and to_a_page and method in ("GET", "HEAD"))
