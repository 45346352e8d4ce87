"""The chat beside the player page: by its interaction alone, and only where guests may open it."""

from __future__ import annotations

import pytest

from gateway.errors import BadFile
from gateway.policy.decide import Scope
from gateway.policy.load import load_policy_text
from gateway.policy.model import Policy
from gateway.policy.target import Target, parse_target

KIND = """
server: x
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]+"}
kinds:
  live:
    player: {src: "/hls/{id}/i.m3u8", chat: "CHAT"}
    allow: ["GET /hls/{id}/i.m3u8"ALLOW]
    interactions: {INTERACTIONS}
guest_access: {interactions: [ON]}
"""


def loaded(
    chat: str = "/chat/{id}", chats: str = "page GET /chat/{id}", *, on: str = "chat", allow: str = "", more: str = ""
) -> Policy:
    text = KIND.replace("CHAT", chat).replace("ALLOW", f', "{allow}"' if allow else "").replace("ON]", f"{on}]")
    groups = (f'chat: ["{chats}", "WS /chat/{{id}}/ws"]' if chats else "") + more
    return load_policy_text(text.replace("INTERACTIONS", groups) + "# end\n")


def faults_of(*given: str, **named: str) -> str:
    with pytest.raises(BadFile) as caught:
        loaded(*given, **named)
    return str(caught.value)


def scope_of(policy: Policy, **values: str) -> Scope:
    return policy.scope("live", {"id": ("abc",), **{name: (value,) for name, value in values.items()}})


def asked(address: str) -> Target:
    target = parse_target(address)
    assert isinstance(target, Target)
    return target


@pytest.mark.parametrize(
    ("chat", "rule", "shown"),
    [
        ("/chat/{id}", "page GET /chat/{id}", "/chat/abc"),
        ("/embed/chat", "page GET /embed/chat", "/embed/chat"),
        ("/chat/7?room={id}", "page GET /chat/{n}?room={id}&theme=*", "/chat/7?room=abc"),
        ("/chat?room={id}", "page GET /chat?room={id}&*", "/chat?room=abc"),
    ],
)
def test_it_is_shown_where_it_is_on(chat: str, rule: str, shown: str) -> None:
    scope = scope_of(loaded(chat, rule))
    assert scope.chat() == shown
    assert scope.decide("GET", asked(shown)).page
    assert scope.beside_the_player(asked(shown))
    for other in ("/chat/xyz", "/embed", shown + ("&" if "?" in shown else "?") + "theme=x", "/hls/abc/i.m3u8"):
        assert not scope.beside_the_player(asked(other))


def test_off_it_is_neither_shown_nor_there() -> None:
    scope = scope_of(loaded(on=""))
    assert scope.kind.player is not None
    assert scope.kind.player.chat is None
    assert scope.chat() is None
    assert not scope.beside_the_player(asked("/chat/abc"))
    assert not scope.decide("GET", asked("/chat/abc")).allowed
    assert not scope.decide("GET", asked("/chat/abc/ws"), websocket=True).allowed


@pytest.mark.parametrize("on", ["chat", ""])
@pytest.mark.parametrize(
    ("chat", "rule"),
    [
        ("/chat/{id}", ""),
        ("/chat/{id}", "GET /chat/{id}"),  # no page
        ("/chat/{id}", "page GET /chat/{id}/x"),
        ("/chat/{id}?x=1", "page GET /chat/{id}"),
        ("/chat/{id}", "page GET /chat/{id}?x=1"),
    ],
)
def test_without_a_page_of_its_interaction_the_policy_is_refused(chat: str, rule: str, on: str) -> None:
    other = "talk: [POST /talk]" if not rule else ""
    said = faults_of(chat, rule, on=on if rule else "", more=other)
    assert f"chat: no rule of an interaction chat of this kind allows it: page GET {chat}" in said
    assert ":7:" in said, "where it stands"


@pytest.mark.parametrize("on", ["chat", ""])
@pytest.mark.parametrize("rule", ["page GET /chat/{id}", "GET /chat/*", "GET /**"])
def test_a_rule_outside_would_leave_it_open(rule: str, on: str) -> None:
    assert "outside of the interaction chat" in faults_of(allow=rule, on=on)


def test_another_group_would_leave_it_open_too() -> None:
    assert "outside of the interaction chat" in faults_of(more=', talk: ["page GET /chat/{id}"]')


def test_it_is_no_whole_address_and_no_pattern() -> None:
    assert "unknown name {nobody}" in faults_of("/chat/{nobody}")
    assert "is a pattern" in faults_of("/chat/{n}")


def test_a_room_page_has_its_own() -> None:
    text = KIND.replace("CHAT", "/chat").replace("ALLOW", "").replace("ON]", "chat]")
    text = text.replace('/hls/{id}/i.m3u8", chat', '/rtc", as: livekit, chat')
    with pytest.raises(BadFile, match="a room page has its own"):
        load_policy_text(text.replace("INTERACTIONS", 'chat: ["page GET /chat"]'))


def test_a_name_in_its_address_is_told() -> None:
    policy = loaded("/chat/{id}?as={guest.name}", "page GET /chat/{id}?as={guest.name}")
    assert policy.kinds["live"].told == {"name"}
    assert (
        loaded("/chat/{id}?as={guest.name}", "page GET /chat/{id}?as={guest.name}", on="").kinds["live"].told == set()
    )
    scope = scope_of(policy, **{"guest.name": "Ada & Co"})
    assert scope.chat() == "/chat/abc?as=Ada%20%26%20Co"


def test_a_kind_like_another_has_its_chat_only_with_its_interaction() -> None:
    more = "  room: {like: live, interactions: {talk: [POST /talk]}}\n"
    text = KIND.replace("CHAT", "/chat").replace("ALLOW", "").replace("ON]", "chat]")
    text = text.replace("INTERACTIONS", 'chat: ["page GET /chat"]')
    with pytest.raises(BadFile, match="no rule of an interaction chat"):
        load_policy_text(text.replace("guest_access:", more + "guest_access:"))


def test_it_stays_through_the_move_to_the_servers_own_addresses() -> None:
    assert scope_of(loaded().at_home(("http://up:80",))).chat() == "/chat/abc"


@pytest.mark.parametrize(("on", "offered"), [("chat", False), ("captions", True), ("chat, captions", True)])
def test_captions_are_offered_unless_the_policy_has_a_group_for_them_that_is_off(on: str, offered: bool) -> None:
    assert scope_of(loaded()).captions
    assert scope_of(loaded(on=on, more=', captions: ["GET /hls/{id}/words.vtt"]')).captions is offered


def test_another_proxy_would_have_to_let_it_be_framed() -> None:
    from gateway.policy.forwarded import not_for_others

    assert "player: chat" in list(not_for_others(loaded()))
    assert "player: chat" not in list(not_for_others(loaded(on="")))
