"""prepare and release in a policy: what they may say, and what is sent for them."""

from __future__ import annotations

import hashlib
import json

import pytest

from gateway.errors import BadFile
from gateway.policy.load import load_policy_text
from gateway.policy.request import Written
from gateway.policy.target import parse_target

HEAD = 'server: x\nitem: {id: "[a-z0-9]+"}\npatterns: {n: "[0-9]+"}\n'
GRANT = {"id": ("abc123",), "grant.id": ("g1",), "guest.id": ("u1",), "guest.name": ('A"da\\ Ü\n',)}


def policy(prepare: str = "", release: str = "", allow: str = "", more: str = "") -> str:
    return (
        HEAD
        + 'kinds:\n  video:\n    open: "/m/{id}"\n'
        + (f"    prepare: {prepare}\n" if prepare else "")
        + (f"    release: {release}\n" if release else "")
        + f'    allow: ["page GET /m/{{id}}"{allow}]\n{more}'
    )


def faults(text: str) -> list[str]:
    try:
        load_policy_text(text, name="p", environ={})
    except BadFile as error:
        return [str(fault) for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (policy("[{request: POST /p, var: {a: $.a}}]"), "p.yaml:7:34: var: unknown key (did you mean vars?)"),
        (policy("[{request: POST /p, id: $.a}]"), "p.yaml:7:34: id: unknown key"),
        (policy("[{request: POST /p, each: pages}]"), "p.yaml:7:40: each: page or visit"),
        (policy("[{request: POST /p, renew: 6}]"), "p.yaml:7:41: renew: must be from 1m to 7d"),
        (policy("[{request: POST /p, renew: often}]"), "p.yaml:7:41: renew: must be a duration such as"),
        (
            policy("[{request: POST /a, vars: {a: $.a}, each: page}, {request: 'GET /b/{a}'}]"),
            "p.yaml:7:73: {a} is new at each page: write each: page here too",
        ),
        (
            policy("[{request: POST /a, vars: {a: $.a}, each: visit}, {request: 'GET /b/{a}'}]"),
            "p.yaml:7:74: {a} is new at each visit: write each: visit here too",
        ),
        (
            policy("[{request: POST /a, vars: {a: $.a}, each: page}, {request: 'GET /b/{a}', each: visit}]"),
            "p.yaml:7:73: {a} is new at each page: write each: page here too",
        ),
        (
            policy("[{request: POST /a, vars: {a: $.a}, renew: 1h}, {request: 'GET /b/{a}', renew: 2h}]"),
            "p.yaml:7:72: {a} is renewed: write a renew: here that is not longer",
        ),
        (policy(release="[{request: DELETE /p, each: page}]"), "each: unknown key"),
        (policy("[{request: POST /p, for: chat}]"), "p.yaml:7:39: for: video has no interactions named chat"),
        (policy("[{request: POST /p, for: [chat]}]"), "p.yaml:7:39: must be text"),
        (
            policy("[{request: POST /a, for: talk}]", more="    interactions: {chat: [GET /c]}\n"),
            "p.yaml:7:39: for: video has no interactions named talk",
        ),
        (
            policy(
                "[{request: POST /a, vars: {a: $.a}, for: chat}, {request: 'GET /b/{a}'}]",
                more="    interactions: {chat: [GET /c]}\n",
            ),
            "p.yaml:7:72: {a} is there only where chat is on: write for: chat here too",
        ),
        (
            policy(
                "[{request: POST /a, vars: {a: $.a}, for: chat}]", more="    interactions: {chat: [GET /c]}\n"
            ).replace('open: "/m/{id}"', 'player: {src: "/m/{id}", poster: "/p/{a}"}'),
            "{a} is there only where chat is on, and can't stand here",
        ),
        (policy("[{request: FETCH /p}]"), "p.yaml:7:25: request: written GET /path (GET, HEAD, POST, PUT, PATCH or"),
        (policy("[{request: 'POST /p/{idd}'}]"), "p.yaml:7:25: unknown name {idd} (did you mean id?)"),
        (policy("[{request: 'POST /p/{n}'}]"), "p.yaml:7:25: {n} is a pattern"),
        (policy("[{request: POST /p, vars: {id: $.a}}]"), "p.yaml:7:41: id: is a variable or pattern already"),
        (policy("[{request: POST /p, vars: {n: $.a}}]"), "p.yaml:7:41: n: is a variable or pattern already"),
        (policy("[{request: POST /p, vars: {guest.name: $.a}}]"), "guest.name: is a variable or pattern already"),
        (policy("[{request: POST /p, vars: {Play: $.a}}]"), "p.yaml:7:41: Play: a variable's name has small letters"),
        (policy("[{request: POST /p, vars: {a: b}}]"), "a path into an answer begins with $"),
        (policy("[{request: GET /p, json: {a: b}}]"), "p.yaml:7:33: json: GET has no body"),
        (policy("[{request: POST /p, json: {a: [x, '{oops}']}}]"), "p.yaml:7:48: unknown name {oops}"),
        (policy("[{request: POST /p, json: {a: '{n}'}}]"), "{n} is a pattern"),
        (policy("[{request: POST /p, headers: {Host: a}}]"), "p.yaml:7:44: Host: this header is the gateway's own"),
        (
            policy("[{request: POST /p, headers: {Sec_WebSocket.Key: a}}]"),
            "p.yaml:7:44: Sec_WebSocket.Key: this header is the gateway's own",
        ),
        (policy("[{request: POST /p, headers: {'X Y': a}}]"), "X Y: not the name of a header"),
        (policy("[{request: POST /p, headers: {X: 1}}]"), "must be text"),
        (policy(release="[DELETE]"), "p.yaml:7:15: request: written GET /path"),
        (policy(release="['DELETE /p/{play}']"), "p.yaml:7:15: unknown name {play}"),
        (policy(release="['DELETE /p/{guest.name}']"), "p.yaml:7:15: {guest.name}: release can use {guest.id}"),
        (policy(release="[{request: DELETE /p, vars: {a: $.a}}]"), "vars: unknown key"),
        (policy(release="DELETE /p"), "p.yaml:7:14: must be a list"),
        (policy(allow=', "GET /h/{play}"'), "unknown name {play}"),
        (policy("[{request: GET /p, checksum: x}]"), "must be a mapping"),
        (policy("[{request: GET /p, checksum: {sha256: '{query}12345678'}}]"), "p.yaml:7:43: name: is missing"),
        (policy("[{request: GET /p, checksum: {name: c}}]"), "p.yaml:7:43: checksum: one of sha1, sha256"),
        (
            policy("[{request: GET /p, checksum: {name: c, sha1: '{query}12345678', sha256: '{query}12345678'}}]"),
            "checksum: one of sha1",
        ),
        (policy("[{request: GET /p, checksum: {name: c, md5: '{query}12345678'}}]"), "md5: unknown key"),
        (
            policy("[{request: GET /p, checksum: {name: c, sha256: '12345678'}}]"),
            "checksum: written as text, {query} or",
        ),
        (
            policy("[{request: GET /p, checksum: {name: c, sha256: '{n}12345678'}}]"),
            "checksum: written as text, {query} or",
        ),
        (policy("[{request: GET /p, checksum: {name: c, sha256: '{id}a'}}]"), "a secret of at least 8 characters"),
        (policy("[{request: GET /p, checksum: {name: c, sha256: 'a{query}'}}]"), "a secret of at least 8 characters"),
        (policy("[{request: GET /p, checksum: {name: 'c&d', sha256: '{query}12345678'}}]"), "checksum: name: letters"),
        (policy("[{request: GET /p?c=1, checksum: {name: c, sha256: '{query}12345678'}}]"), "has a c already"),
        # An earlier step knows nothing of a later one's variables.
        (policy("[{request: 'GET /a/{b}'}, {request: GET /b, vars: {b: $.b}}]"), "p.yaml:7:25: unknown name {b}"),
        (
            policy(
                "[{request: GET /b, vars: {b: $.b}}]", more='  live: {open: "/l/{b}", allow: ["page GET /l/{b}"]}\n'
            ),
            "p.yaml:9:16: {b} comes from prepare or capture of video, which does not apply here",
        ),
        (
            policy(
                "[{request: GET /b, vars: {b: $.b}}]",
                more='  live: {open: "/l/{id}", allow: ["page GET /l/{id}"]}\nshared: ["GET /s/{b}"]\n',
            ),
            "p.yaml:10:10: {b} comes from prepare or capture of video",
        ),
        (
            policy("[{request: GET /b, vars: {play: $.b}}]", more="examples: {with: {vars: {plya: p}}}\n"),
            "p.yaml:9:32: plya: unknown variable (did you mean play?)",
        ),
    ],
)
def test_each_fault_is_named_with_its_place(text: str, wanted: str) -> None:
    found = faults(text)
    assert any(wanted in fault for fault in found), found


def test_kinds_that_are_alike_prepare_alike_unless_they_say_otherwise() -> None:
    text = policy(
        "[{request: GET /b, vars: {b: $.b}}]",
        "['DELETE /b/{b}']",
        ', "GET /h/{b}"',
        '  live: {like: video}\n  audio: {like: video, prepare: [], release: [], allow: ["page GET /m/{id}"]}\n'
        "  channel: {guest_access: false}\n",
    ).replace("patterns:", 'shared: ["GET /s"]\npatterns:')
    made = load_policy_text(text)
    assert made.kinds["live"].prepare == made.kinds["video"].prepare
    assert made.kinds["live"].release == made.kinds["video"].release
    assert made.kinds["audio"].prepare == made.kinds["audio"].release == ()


def written(prepare: str) -> Written | None:
    (step,) = load_policy_text(policy(prepare)).kinds["video"].prepare
    return step.request.written(GRANT)


def test_values_are_encoded_for_where_they_stand() -> None:
    found = written(
        "[{request: 'POST /p/{guest.name}?a={guest.name}', headers: {X-Name: 'N {guest.name}', accept: text/plain},"
        " json: {'{id}': ['{guest.name}', 7, true, null, {x: 'say {guest.name}!'}], plain: '50%'}}]"
    )
    assert found is None  # a line feed has no place in a path
    ada = GRANT | {"guest.name": ('A"da\\ Ü&b=c',)}
    (step,) = load_policy_text(
        policy(
            "[{request: 'POST /p/{id}?a={guest.name}', headers: {X-Name: 'N {guest.name}', accept: text/plain},"
            " json: {'{id}': ['{guest.name}', 7, true, null, {x: 'say {guest.name}!'}], plain: '50%'}}]"
        )
    ).kinds["video"].prepare  # fmt: skip
    found = step.request.written(ada)
    assert found is not None
    assert found.target == "/p/abc123?a=A%22da%5C%20%C3%9C%26b%3Dc"
    headers = dict(found.headers)
    assert headers == {"accept": "text/plain", "X-Name": 'N A"da\\ %C3%9C&b=c', "Content-Type": "application/json"}
    assert found.body is not None
    name = 'A"da\\ Ü&b=c'
    assert json.loads(found.body) == {"{id}": [name, 7, True, None, {"x": f"say {name}!"}], "plain": "50%"}


def test_a_checksum_signs_the_query_as_it_is_sent() -> None:
    """As BigBlueButton has it: over the call's name, the query and the secret."""
    found = written(
        "[{request: 'GET /api/join?fullName={id}&meetingID={guest.id}', checksum: {name: checksum,"
        " sha256: 'join{query}639259d4-9dd8-4b25'}}]"
    )
    assert found is not None
    query = "fullName=abc123&meetingID=u1"
    digest = hashlib.sha256(f"join{query}639259d4-9dd8-4b25".encode()).hexdigest()
    assert found.target == f"/api/join?{query}&checksum={digest}"
    other = written("[{request: GET /api, checksum: {name: tokenHash, sha256: '{id}639259d4'}}]")
    assert other is not None
    key = hashlib.sha256(b"abc123639259d4").hexdigest()
    assert other.target == f"/api?tokenHash={key}"
    bare = written("[{request: GET /api, checksum: {name: checksum, sha1: 'meetings{query}639259d4'}}]")
    assert bare is not None
    assert bare.target == f"/api?checksum={hashlib.sha1(b'meetings639259d4').hexdigest()}"


def test_a_guest_cannot_sign_another_query() -> None:
    """What is typed is a value in the signed query and brings no pair of its own."""
    (step,) = load_policy_text(
        policy("[{request: 'GET /j?name={guest.name}&role=V', checksum: {name: c, sha512: 'j{query}12345678'}}]")
    ).kinds["video"].prepare  # fmt: skip
    found = step.request.written(GRANT | {"guest.name": ("Ada&role=MODERATOR#",)})
    assert found is not None
    assert found.target.startswith("/j?name=Ada%26role%3DMODERATOR%23&role=V&c=")


def test_a_secret_is_in_no_error_and_no_repr() -> None:
    text = policy("[{request: GET /p, checksum: {name: c, sha256: 'j{query}se{cret}-of-the-server'}}]")
    found = faults(text)
    assert found
    assert not any("cret" in fault for fault in found)
    made = load_policy_text(text.replace("{cret}", "cret"))
    assert "secret-of" not in repr(made.kinds["video"].prepare)


def test_a_header_can_hold_no_second_one() -> None:
    found = written("[{request: GET /p, headers: {X-Name: '{guest.name}'}}]")
    assert found is not None
    assert all("\n" not in value and "\r" not in value for _, value in found.headers)


def test_what_lacks_a_variable_is_not_sent() -> None:
    for request in ("'GET /p/{guest.email}'", "GET /p, headers: {X: '{guest.email}'}", "PUT /p, json: '{guest.email}'"):
        assert written(f"[{{request: {request}}}]") is None


def test_who_learns_the_guests_name_is_reported() -> None:
    made = load_policy_text(policy("[{request: POST /p, json: {who: ['{guest.name}']}}]"))
    assert made.kinds["video"].told == {"name"}
    assert any("{guest.name} tells the media server" in fault.what for fault in made.warnings)


def test_the_id_is_replaced_by_the_first_request_that_uses_it() -> None:
    """What was learned before of one spelling would count for the item of another."""
    text = """
server: x
item:
  id: "(?P<folder>[a-z]+)/[0-9]+"
  resolve:
    - {request: GET /session, vars: {ks: $.ks}}
    - {request: "GET /FIRST?ks={ks}", vars: {title: $.name}}
    - {request: "GET /{id}?ks={ks}", id: $.id}
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}}
"""
    assert not faults(text)
    for first in ("{id}", "{folder}"):
        assert "only the first step that uses the id" in faults(text.replace("FIRST", first))[0]


@pytest.mark.parametrize(
    ("allow", "hidden"),
    [
        (', {request: "GET /a/{id}", send: {headers: {X-Ks: "{ks}"}}}', {"ks"}),
        # What stands in an address is known to the guest, and what is sent in a query often an id.
        (', {request: "GET /a/{ks}", send: {headers: {X-Ks: "{ks}"}}}', set()),
        (', {request: "GET /a?ks={ks}", send: {headers: {X-Ks: "{ks}"}}}', set()),
        (', {request: "GET /a/{id}", send: {query: {ks: "{ks}"}}}', set()),
        (', {request: "GET /a/{id}", send: {headers: {X-Id: "{id}"}}}', set()),
    ],
)
def test_what_was_prepared_and_goes_in_a_header_is_the_grants_own_credential(allow: str, hidden: set[str]) -> None:
    text = policy("[{request: POST /s, vars: {ks: $.ks}}]", allow=allow)
    assert load_policy_text(text, name="p", environ={}).kinds["video"].hidden == hidden


@pytest.mark.parametrize("on", [True, False])
def test_what_is_for_a_group_is_asked_where_it_is_on(on: bool) -> None:
    text = policy(
        "[{request: POST /s, vars: {s: $.s}}, {request: 'POST /c/{guest.name}', vars: {c: $.c}, for: chat}]",
        allow=', "GET /s/{s}"',
        more='    interactions: {chat: ["GET /c/{c}"]}\nguest_access: {interactions: ['
        + ("chat" if on else "")
        + "]}\n"
        "examples: {with: {vars: {s: s1, c: c1}}, allow: [GET /s/s1]}\n",
    )
    made = load_policy_text(text)
    kind = made.kinds["video"]
    assert [(step.request.method, step.group) for step in kind.prepare] == [("POST", ""), ("POST", "chat")][: 1 + on]
    # What is not asked tells the server nothing of the guest.
    assert kind.told == ({"name"} if on else set())
    scope = made.scope("video", {**GRANT, "s": ("s1",), "c": ("c1",)})
    assert (scope.decide("GET", parse_target("/c/c1")).rule is not None) == on  # type: ignore[arg-type]
