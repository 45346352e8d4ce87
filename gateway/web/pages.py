"""Our own pages: templates, the headers that every one of them carries, and addresses of our files.

Pages work without scripts and load nothing from another origin. A theme's template that breaks while a page
is made is a line in the log, and the page is made of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from urllib.parse import quote

import jinja2
from aiohttp import web

from gateway.config import Prefixes
from gateway.policy.target import Target, parse_target
from gateway.web.embedding import NOBODY, Embedding
from gateway.web.i18n import Catalogues, Locale
from gateway.web.language import sent_language
from gateway.web.statics import Statics
from gateway.web.templates import lacking_fields, shipped, themed
from gateway.web.theme import Theme

SERVER = "gateway"  # the Server header: aiohttp's own would tell versions

_log = logging.getLogger("gateway")

_PAGE_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": NOBODY,
}
# What the player page may do beyond that. hls.js feeds the video from a blob and works without a
# worker (see static/source.js), so none is allowed. It also tries to fill its caption tracks from a
# `data:` address; that is refused, said on the console, and the captions come all the same.
PLAYER_POLICY = {
    "script-src": "'self'",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
}
CHAT_POLICY = {"frame-src": "'self'"}
# For a page of ours with a page of the media server in a frame, whose scripts reach all of ours: under the opener
# policy of our other pages a window that they open from here would stay theirs when a guest opens a link in it.
APART = {"Cross-Origin-Opener-Policy": "same-origin-allow-popups"}


def _devices(own: str) -> str:
    return f"camera={own}, geolocation=(), microphone={own}, payment=(), usb=()"


# Where guests may show themselves, and nowhere else.
WITH_DEVICES = _devices("(self)")


def common_headers() -> dict[str, str]:
    """What every answer of our own carries, page or not."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": content_policy(),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": _devices("()"),
        "Referrer-Policy": "no-referrer",
        "Server": SERVER,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
    }


def content_policy(more: Mapping[str, str] | None = None) -> str:
    return "; ".join(f"{name} {value}" for name, value in {**_PAGE_POLICY, **(more or {})}.items())


@dataclass(frozen=True, slots=True)
class Pages:
    """Everything a page needs that does not come from the request."""

    theme: Theme = field(default_factory=Theme)
    prefixes: Prefixes = field(default_factory=Prefixes)
    catalogues: Catalogues = field(default_factory=Catalogues.load)
    statics: Statics = field(default_factory=Statics.load)
    embedding: Embedding = field(default_factory=Embedding)
    environment: jinja2.Environment = field(default_factory=shipped, repr=False)
    # Templates that are in the log, with why; that is of a few kinds for each.
    _broken: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    def locale(self, request: web.BaseRequest) -> Locale:
        chosen = sent_language(request, self.embedding)
        return self.catalogues.choose(request.headers.get("Accept-Language", ""), chosen)

    def static(self, name: str) -> str:
        """The address of one of our shipped files."""
        return f"{self.prefixes.own}/static/{self.statics.version}/{name}"

    def respond(
        self,
        request: web.BaseRequest,
        template: str,
        *,
        status: int = 200,
        site: str = "",
        headers: Mapping[str, str] | None = None,
        policy: Mapping[str, str] | None = None,
        again: str | None = None,
        fields: Collection[str] = (),
        **values: object,
    ) -> web.Response:
        """Render a page in the guest's language.

        `site` is the media server's title, shown where the theme has no name: only to those who hold a
        link or a grant, since it may tell what software runs here. `policy` adds to the content policy.
        `again`: where a GET shows this page once more, in another language; the request's own address unless
        said, "" where there is none. `fields`: names without which its form admits nobody; a theme's page that lacks
        one is as good as broken.
        """
        locale = self.locale(request)
        if again is None:
            target = parse_target(request.raw_path)
            again = self._shown_again(target) if isinstance(target, Target) else ""
        body = self._render(
            template,
            fields,
            t=locale.t,
            locale=locale,
            theme=self.theme,
            logo=self.logo_address,
            site=self.theme.name or site or locale.t("site.unnamed"),
            static=self.static,
            own=self.prefixes.own,
            languages=self._languages(again),
            secret=again.startswith(f"{self.prefixes.link}/"),
            framed=self.embedding.perhaps_framed(request.headers),
            **values,
        )
        more = {"font-src": "'self'", **(policy or {})} if self.has_fonts else policy
        return web.Response(
            status=status,
            body=body.encode(),
            headers={
                **self._headers(more or {}),
                "Content-Type": "text/html; charset=utf-8",
                "Content-Language": locale.language,
                **(headers or {}),
            },
        )

    def _shown_again(self, target: Target) -> str:
        """Where a GET shows this page again; from the media server's own paths the way back to the media, since their
        addresses may hold secrets (a signed one, a link mistyped), and a page is copied and photographed."""
        ours = target.path.startswith((f"{self.prefixes.own}/", f"{self.prefixes.link}/"))
        return target.sent if ours else f"{self.prefixes.own}/back"

    def _languages(self, again: str) -> list[tuple[Locale, str]]:
        """The languages on offer, each with the address that chooses it and leads to `again` (see language_door);
        none where there is nothing to choose."""
        locales = list(self.catalogues.locales.values())
        if not again or len(locales) < 2:
            return []
        if again.startswith(f"{self.prefixes.link}/"):
            return [(one, f"?language={one.language}") for one in locales]
        own, to = f"{self.prefixes.own}/language", quote(again, safe="")
        return [(one, f"{own}?language={one.language}&to={to}") for one in locales]

    def _render(self, template: str, fields: Collection[str], **values: object) -> str:
        try:
            page = self.environment.get_template(template).render(values)
            if self.environment is shipped() or not (lacking := lacking_fields(page, fields)):
                return page
            why = f"no field {', '.join(lacking)}"
        except Exception as error:
            if self.environment is shipped():
                raise
            why = _told(error)
        if (template, why) not in self._broken:
            self._broken.add((template, why))
            _log.error("the theme's %s can't be shown, ours is shown instead: %s", template, why)
        return shipped().get_template(template).render(values)

    def dressed(self, theme: Theme) -> Pages:
        """The same pages in this theme. `self` is in none that has files."""
        return replace(
            self,
            theme=theme,
            statics=self.statics.overlaid(theme.statics),
            environment=themed(theme.templates),
            _broken=set(),
        )

    @property
    def has_fonts(self) -> bool:
        return any(file.content_type.startswith("font/") for file in self.theme.statics.values())

    def _headers(self, policy: Mapping[str, str]) -> dict[str, str]:
        headers = common_headers()
        if self.embedding:
            del headers["X-Frame-Options"]  # it can't name an origin
        ancestors = self.embedding.ancestors
        return {**headers, "Content-Security-Policy": content_policy({**policy, "frame-ancestors": ancestors})}

    @property
    def logo_address(self) -> str | None:
        logo = self.theme.logo
        return f"{self.prefixes.own}/theme/logo?v={logo.version}" if logo else None


def _told(error: Exception) -> str:
    """Where and what, without the values of the page: they may be a guest's words."""
    where = ""
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == "<template>" or code.co_filename.endswith(".html"):
            where = f" near line {traceback.tb_lineno} of {code.co_filename}"
        traceback = traceback.tb_next
    return f"{type(error).__name__}{where}"


@cache
def plain_pages() -> Pages:
    """The look without any setting."""
    return Pages()
