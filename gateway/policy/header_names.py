"""Which names of headers a policy may use, towards the media server, and which tell of identity and place.

Rule: names are compared as the most careless server would look them up: without case, `_` and `.` being `-`.
What frames a message, says who somebody is, where a request came from or where it really goes, is the gateway's
own and never a guest's.

Why so many names: each of them is believed by some server (`X-Original-URL` replaces the target, `Remote-User`
signs in, `X-HTTP-Method-Override` makes a DELETE of a POST), and a policy's author can't know them all.
"""

from __future__ import annotations

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

# Framing and connection; a policy that sets them would smuggle.
_FRAMING = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive", "expect")
)
_FRAMING_PREFIXES = ("x-forwarded-", "sec-websocket-", "proxy-connection", "http2-settings")

_IDENTITY = frozenset(
    (
        "authorization", "cookie", "cookie2", "referer", "from", "x-api-key", "api-key", "x-access-token",
        "x-emby-token", "x-emby-authorization", "x-mediabrowser-token", "x-mediabrowser-authorization", "x-plex-token",
        "x-peertube-video-password", "x-client-cert", "x-client-verify", "x-client-dn", "x-username", "x-userid",
        "x-email", "x-groups", "x-roles", "x-webauth", "x-token", "x-session-token", "x-id-token",
    )
)  # fmt: skip
_IDENTITY_PREFIXES = (
    "proxy-", "remote-", "x-remote-", "auth-", "x-auth-", "x-authenticated-", "x-authentik-", "x-authelia-", "x-user",
    "x-webauth-", "x-proxy-", "x-nd-", "x-immich-", "x-kaltura-", "x-ssl-", "ssl-", "x-pomerium-", "cf-access-",
    "x-goog-authenticated-", "x-goog-iap-", "x-amzn-oidc-", "x-ms-client-principal", "tailscale-", "x-vouch-",
)  # fmt: skip
_PLACE = frozenset(
    (
        "forwarded", "via", "x-real-ip", "x-host", "x-scheme", "x-url-scheme", "front-end-https", "true-client-ip",
        "client-ip", "x-client-ip", "x-cluster-client-ip", "x-originating-ip", "x-envoy-external-address",
        "fastly-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "destination", "x-http-method",
        "x-http-method-override", "x-method-override", "x-method", "x-override-url", "x-forwarded",
        "base-url", "x-http-host-override", "x-wap-profile", "x-http-destinationurl",
        "x-waws-unencoded-url", "service-worker", "max-forwards",
    )
)  # fmt: skip
_PLACE_PREFIXES = (
    "x-forwarded-", "x-forward-", "x-original-", "x-rewrite-", "x-envoy-", "x-arr-", "x-accel-", "x-sendfile", "sec-",
)  # fmt: skip


def fold_header(name: str) -> str:
    """A name as servers look it up that can't tell `_` and `.` from `-`."""
    return name.lower().replace("_", "-").replace(".", "-")


def is_header_name(name: str) -> bool:
    return bool(name) and _TOKEN.issuperset(name)


def is_framing(name: str) -> bool:
    """Whether the gateway alone writes this header."""
    folded = fold_header(name)
    return folded in _FRAMING or folded.startswith(_FRAMING_PREFIXES)


def says_who(name: str) -> bool:
    """Whether some server, or a proxy before it, lets this header say who somebody is."""
    folded = fold_header(name)
    return folded in _IDENTITY or folded.startswith(_IDENTITY_PREFIXES)


def tells_where(name: str) -> bool:
    """Whether some server lets this header say where a request goes, what its method is or where it comes from."""
    folded = fold_header(name)
    return folded in _PLACE or folded.startswith(_PLACE_PREFIXES)


def not_a_guests(name: str) -> str | None:
    """Why a guest's header of this name never goes to the media server; None where it may."""
    folded = fold_header(name)
    if is_framing(name) or folded.startswith("content-"):
        return "this header is the gateway's own"
    if says_who(name):
        return "says who somebody is, and so never comes from a guest"
    if tells_where(name):
        return "says where a request comes from or goes to, and so never comes from a guest"
    return None
