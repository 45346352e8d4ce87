"""Which headers a policy may pass on."""

from __future__ import annotations

import pytest

from gateway.policy.header_names import not_a_guests
from tests.policy.test_document import HEAD, KINDS, faults

NEVER = """
Authorization authorization Proxy-Authorization Cookie Host Connection Content-Length content_length TE
Upgrade Transfer-Encoding Transfer_Encoding X-Forwarded-For x_forwarded_for X.Forwarded.Host
X-Forwarded-Anything Forwarded X-Real-IP x_real_ip X-Original-URL X-Rewrite-URL X-HTTP-Method-Override
X-Method-Override Remote-User Remote.User X-Remote-User X-Auth-Request-Email X-Authentik-Username X-User
X-User-Id Via True-Client-IP CF-Connecting-IP X-Emby-Token X-Plex-Token X-ND-Authorization X-Api-Key X_API_KEY
X-Immich-Share-Key X-Peertube-Video-Password X-Kaltura-Ks Sec-Fetch-Site Sec-WebSocket-Key Referer
X-Accel-Redirect Service-Worker Destination Tailscale-User-Login Content-Encoding
"""


@pytest.mark.parametrize("name", NEVER.split())
def test_identity_forwarding_and_framing_never_pass(name: str) -> None:
    assert not_a_guests(name)
    assert f"pass: {name}: " in "".join(faults(HEAD + KINDS + f"pass: [{name}]\n"))


@pytest.mark.parametrize("name", ["X-Player-Version", "x-playback-session-id", "X-Plex-Client-Identifier", "Origin"])
def test_others_may(name: str) -> None:
    assert faults(HEAD + KINDS + f"pass: [{name}]\n") == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pass: ['X Y']\n", "p.yaml:4:8: pass: X Y: not the name of a header"),
        ("pass: [X-A, x_a]\n", "p.yaml:4:13: pass: x_a: is X-A for many servers, which is here already"),
        ("pass: x-a\n", "p.yaml:4:7: must be a list"),
        ("pass: [1]\n", "p.yaml:4:8: must be text; write it in quotes"),
        (
            "pass: [x_key]\nupstream: {headers: {X-Key: secret-secret}}\n",
            "p.yaml:4:8: pass: x_key: upstream: sets this header",
        ),
        ("pas: [x]\n", "p.yaml:4:1: pas: unknown key (did you mean pass?)"),
    ],
)
def test_faults(text: str, wanted: str) -> None:
    assert [wanted] == faults(HEAD + KINDS + text)
