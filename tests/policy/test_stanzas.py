"""What a guest may say on a websocket that speaks XMPP."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text
from gateway.policy.stanzas import FRAMING, SASL, Stanzas
from tests.policy.test_document import HEAD, faults

POLICY = """
server: x
item: {id: "[a-z0-9]+"}
patterns: {uuid: "[0-9a-f]{4}"}
kinds:
  room:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - request: WS /ws
        protocol: xmpp
        stanzas:
          - {open: meet.test}
          - {iq: ["urn:bind"]}
          - {iq: ["urn:ping", "urn:jingle"], to: ["meet.test", "{id}@rooms.test"]}
          - {iq: any, to: focus.test, attributes: {room: "{id}@rooms.test"}}
          - {presence: ["urn:muc"], to: "{id}@rooms.test"}
          - {presence: any, to: "{uuid}@breakout.test"}
          - {message: any, to: "{id}@rooms.test", texts: {nick: "{guest.name}", secret: ""}}
"""
VALUES = {"id": ("hall",), "guest.name": ("Ada <Guest>",)}
CLIENT = 'xmlns="jabber:client"'


def rules(text: str = POLICY) -> Stanzas:
    found = load_policy_text(text).kinds["room"].rules[1].messages
    assert isinstance(found, Stanzas)
    return found


STANZAS = rules()


def sent(text: str) -> str | None:
    return STANZAS.written(text, VALUES)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (f'<open xmlns="{FRAMING}" to="meet.test" version="1.0"/>', None),
        (f'<close xmlns="{FRAMING}"/>', None),
        (f'<auth xmlns="{SASL}" mechanism="ANONYMOUS">=</auth>', None),
        (f'<iq {CLIENT} type="set" id="1"><bind xmlns="urn:bind"/></iq>', None),
        (f'<iq {CLIENT} to="meet.test" type="get"><ping xmlns="urn:ping"/></iq>', None),
        (f'<iq {CLIENT} to="hall@rooms.test/focus" type="result"/>', None),
        (f'<presence {CLIENT} to="hall@rooms.test/a@b"><x xmlns="urn:muc"><h n="0"/></x></presence>', None),
        (f'<presence {CLIENT} to="0a1b@breakout.test/ada"/>', None),
        (f'<message {CLIENT} to="hall@rooms.test" xml:lang="de"><body>&lt;c&gt; \u00e9 \U0001f44b</body></message>',
         None),
        # Written anew: without prefixes, sections, what is not the guest's, and text between elements.
        ("<x:iq xmlns:x='jabber:client' to='meet.test'><p:ping xmlns:p='urn:ping'/></x:iq>",
         f'<iq {CLIENT} to="meet.test"><ping xmlns="urn:ping"/></iq>'),
        (f'<message {CLIENT} to="hall@rooms.test"><body><![CDATA[<x/>]]></body></message>',
         f'<message {CLIENT} to="hall@rooms.test"><body>&#60;x/&#62;</body></message>'),
        (f'<presence {CLIENT} to="hall@rooms.test/a"> x <initiator xmlns="urn:phone"/><nick>a</nick>'
         '<x xmlns="urn:muc"/></presence>',
         f'<presence {CLIENT} to="hall@rooms.test/a"><nick>a</nick><x xmlns="urn:muc"/></presence>'),
        (f'<iq {CLIENT} to="meet.test" from="host@meet.test/x"/>', f'<iq {CLIENT} to="meet.test"/>'),
        ('<enable xmlns="urn:xmpp:sm:3" resume="true" max="600"><x/></enable>', '<enable xmlns="urn:xmpp:sm:3"/>'),
        ('<r xmlns="urn:xmpp:sm:3" x="1"/>', '<r xmlns="urn:xmpp:sm:3"/>'),
        ('<a xmlns="urn:xmpp:sm:3" h="7"/>', None),
        (f'<open xmlns="{FRAMING}" to="meet.test"><x xmlns="urn:x"/></open>',
         f'<open xmlns="{FRAMING}" to="meet.test"/>'),
        (f'<iq {CLIENT} to="hall@rooms.test"><query xmlns="urn:admin"/></iq>', f'<iq {CLIENT} to="hall@rooms.test"/>'),
        (f'<message {CLIENT} to="hall@rooms.test"><nick>Host</nick><b><nick xmlns="urn:n"><x/>y</nick></b>'
         '<secret>x</secret><Nick>Host</Nick></message>',
         f'<message {CLIENT} to="hall@rooms.test"><nick>Ada &lt;Guest&gt;</nick><b>'
         '<nick xmlns="urn:n">Ada &lt;Guest&gt;</nick></b><secret/><Nick>Host</Nick></message>'),
        (f'<iq {CLIENT} to="focus.test"><c xmlns="urn:focus" room="hall@rooms.test" x="a&#10;b&quot;"/></iq>', None),
        (f'<message {CLIENT} to="hall@rooms.test"><x xmlns=""><y xmlns="urn:a"/></x></message>', None),
    ],
)  # fmt: skip
def test_a_stanza_is_written_anew(said: str, wanted: str | None) -> None:
    found = sent(said)
    assert found is not None
    assert ElementTree.canonicalize(found) == ElementTree.canonicalize(wanted or said)
    assert sent(found) == found, "what was judged is what is sent"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "<", "<iq", "\ufeff", "null", '{"to": "hall@rooms.test"}',
        f'<open xmlns="{FRAMING}"/>', f'<open xmlns="{FRAMING}" to="auth.test"/>', '<open to="meet.test"/>',
        f'<open {CLIENT} to="meet.test"/>', f'<iq xmlns="{FRAMING}" to="meet.test"/>',
        f'<presence {CLIENT}/>', f'<presence {CLIENT} to=""/>', f'<presence {CLIENT} to="other@rooms.test/a"/>',
        f'<presence {CLIENT} to="Hall@rooms.test/a"/>', f'<presence {CLIENT} to="hall@ROOMS.test/a"/>',
        f'<presence {CLIENT} to="hall@rooms.test/"/>', f'<presence {CLIENT} to=" hall@rooms.test"/>',
        f'<presence {CLIENT} to="hall@rooms.test "/>', f'<presence {CLIENT} to="h\u00e4ll@rooms.test"/>',
        f'<presence {CLIENT} to="\uff48all@rooms.test"/>', f'<presence {CLIENT} to="hall@rooms.test@x/a"/>',
        f'<presence {CLIENT} to="rooms.test"/>', f'<presence {CLIENT} to="hall@rooms.test.x"/>',
        f'<presence {CLIENT} to="0a1bc@breakout.test/a"/>', f'<presence {CLIENT} to="@breakout.test/a"/>',
        f'<iq {CLIENT} to="focus.test"><c room="other@rooms.test"/></iq>',
        f'<iq {CLIENT} to="focus.test"><c><d xmlns="urn:x" room="other@rooms.test"/></c></iq>',
        f'<iq {CLIENT} to="focus.test" room="x"/>', f'<message {CLIENT}/>', f'<message {CLIENT} to="meet.test"/>',
        '<iq to="meet.test"/>', '<iq xmlns="jabber:server" to="meet.test"/>', f'<IQ {CLIENT} to="meet.test"/>',
        '<resume xmlns="urn:xmpp:sm:3" previd="x" h="0"/>', '<enable xmlns="urn:xmpp:sm:4"/>',
        '<enabled xmlns="urn:xmpp:sm:3"/>', f'<enable {CLIENT}/>', '<failed xmlns="urn:xmpp:sm:3"/>',
        f'<iq {CLIENT} to="meet.test"/><iq {CLIENT} to="x"/>', f'<iq {CLIENT} to="meet.test"/>x',
        f'<?xml version="1.0"?><iq {CLIENT} to="meet.test"/>', f'<iq {CLIENT} to="meet.test"><?x?></iq>',
        f'<iq {CLIENT} to="meet.test"><!-- --></iq>', f'<!DOCTYPE iq><iq {CLIENT} to="meet.test"/>',
        f'<!DOCTYPE iq [<!ENTITY x "hall">]><presence {CLIENT} to="&x;@rooms.test/a"/>',
        f'<presence {CLIENT} to="&x;@rooms.test/a"/>', f'<iq {CLIENT} to="meet.test" to="x"/>',
        f'<iq {CLIENT} xmlns:a="urn:a" a:to="meet.test"/>', f'<iq {CLIENT} xmlns:a="urn:a" to="meet.test" a:to="x"/>',
        f'<iq {CLIENT} to="meet.test">\0</iq>', f'<iq {CLIENT} to="meet.test">\ud800</iq>',
        f'<iq {CLIENT} to="meet.test">&#0;</iq>', f'</stream><iq {CLIENT} to="meet.test"/>',
        f'<iq {CLIENT} to="meet.test">' + "<a>" * 60 + "</a>" * 60 + "</iq>",
        f'<iq {CLIENT} to="meet.test">' + "<a/>" * 3_000 + "</iq>",
        f'<iq {CLIENT} to="meet.test"><a ' + "".join(f'a{n}="" ' for n in range(65)) + "/></iq>",
        f'<close xmlns="{FRAMING}"><iq {CLIENT} to="other"/></close>', f'<auth xmlns="{SASL}"><x/></auth>',
        f'<message {CLIENT} to="hall@rooms.test">{"x" * 135_000}</message>',
    ],
)  # fmt: skip
def test_all_else_is_dropped(text: str) -> None:
    assert sent(text) is None


def test_resources_with_an_at_are_nobody_else() -> None:
    found = sent(f'<presence {CLIENT} to="hall@rooms.test/x@other@rooms.test"/>')
    assert found is not None
    assert ElementTree.fromstring(found).get("to") == "hall@rooms.test/x@other@rooms.test"


names = st.text("abto:xmlns", min_size=1, max_size=8)
texts = st.text(max_size=12)
trees = st.recursive(
    st.builds(lambda name, to: f'<{name} to="{to}"/>', names, texts),
    lambda inner: st.builds(lambda name, more: f"<{name}>{''.join(more)}</{name}>", names, st.lists(inner, max_size=3)),
    max_leaves=5,
)


@given(
    st.sampled_from(["iq", "presence", "message", "open", "a"]),
    st.one_of(texts, st.sampled_from(["hall@rooms.test/a", "meet.test", "focus.test", "other@rooms.test"])),
    st.one_of(texts, trees),
)
def test_whatever_is_said_only_these_addresses_are_spoken_to(kind: str, to: str, inside: str) -> None:
    written = sent(f'<{kind} {CLIENT} to="{to}">{inside}</{kind}>')
    if written is not None:
        read = ElementTree.fromstring(written)
        bare = (read.get("to") or "").partition("/")[0]
        assert bare in ("hall@rooms.test", "meet.test", "focus.test")
        assert read.tag == f"{{jabber:client}}{kind}"
        assert sent(written) == written


def test_the_guest_is_told_that_their_name_goes_out() -> None:
    assert load_policy_text(POLICY).kinds["room"].told == {"name"}


def test_explain_shows_the_stanzas() -> None:
    shown = explain(load_policy_text(POLICY), "room", VALUES, "WS", "/ws")
    assert shown.body.startswith("stanzas, written anew: open to meet.test, iq, iq to meet.test or hall@rooms.test, ")
    assert "(uuid)@breakout.test" in shown.body


def test_an_empty_list_lets_nothing_but_the_sign_in_pass() -> None:
    found = rules(POLICY[: POLICY.index("        stanzas:")] + "        stanzas: []\n")
    assert found.written(f'<iq {CLIENT} to="meet.test"/>', VALUES) is None
    assert found.written(f'<close xmlns="{FRAMING}"/>', VALUES) is not None


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("{request: POST /a, stanzas: []}", "stanzas: belongs to a websocket (WS)"),
        ("{request: WS /a, stanzas: [], messages: []}", "stanzas: stand alone, without messages and binary"),
        ("{request: WS /a, stanzas: [], binary: true}", "stanzas: stand alone, without messages and binary"),
        ("{request: WS /a, stanzas: {iq: any}}", "must be a list"),
        ("{request: WS /a, stanzas: [iq]}", "a stanza is a mapping with one of iq, presence, message or open"),
        ("{request: WS /a, stanzas: [{iq: any, message: any}]}", "a stanza is a mapping with one of"),
        ("{request: WS /a, stanzas: [{to: x}]}", "a stanza is a mapping with one of"),
        ("{request: WS /a, stanzas: [{iq: any, too: x}]}", "too: unknown key (did you mean to?)"),
        ("{request: WS /a, stanzas: [{open: x, to: y}]}", "to: unknown key"),
        ("{request: WS /a, stanzas: [{iq: 7}]}", "iq: any, or a list of the namespaces that may stand in it"),
        ("{request: WS /a, stanzas: [{iq: any, to: 7}]}", "an address, or a list of some"),
        ("{request: WS /a, stanzas: [{iq: any, to: []}]}", "an address, or a list of some"),
        ("{request: WS /a, stanzas: [{open: []}]}", "an address, or a list of some"),
        ("{request: WS /a, stanzas: [{iq: any, to: '{ide}@x'}]}", "unknown name {ide} (did you mean id?)"),
        ("{request: WS /a, stanzas: [{iq: any, to: x, attributes: [a]}]}", "attributes: must be a mapping"),
        ("{request: WS /a, stanzas: [{iq: any, to: x, texts: nick}]}", "texts: must be a mapping"),
        ("{request: WS /a, stanzas: [{iq: any, to: x, texts: {nick: '{guest.nam}'}}]}", "unknown name {guest.nam}"),
    ],
)
def test_faults(rule: str, wanted: str) -> None:
    text = HEAD + f'kinds: {{video: {{open: "/m/{{id}}", allow: ["page GET /m/{{id}}", {rule}]}}}}\n'
    found = faults(text)
    assert any(wanted in fault and fault.startswith("p.yaml:3:") for fault in found), found
