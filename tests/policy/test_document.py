"""Every fault of a policy, all at once, at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import BadFile
from gateway.policy.load import load_policy, load_policy_text

HEAD = 'server: x\nitem: {id: "[a-z0-9]+"}\n'
KINDS = 'kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}}\n'


def faults(text: str, environ: dict[str, str] | None = None) -> list[str]:
    try:
        load_policy_text(text, name="p", environ=environ or {})
    except BadFile as error:
        return [str(fault) for fault in error.faults]
    return []


def test_a_good_policy_has_none() -> None:
    assert faults(HEAD + KINDS) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "p.yaml:1:1: server: is missing"),
        ("[]", "p.yaml:1:1: a policy is a mapping that begins with server:"),
        (HEAD, "p.yaml:1:1: kinds: is missing"),
        (HEAD + KINDS + "serve: y\n", "p.yaml:4:1: serve: unknown key (did you mean server?)"),
        (HEAD + KINDS + "server: y\n", "p.yaml:4:1: server: given twice (first on line 1)"),
        (HEAD + KINDS + "cookies: [x, {X: guest}]\n", "p.yaml:4:14: cookies: X: stands there already"),
        (HEAD + KINDS + "cookies: [a b]\n", "p.yaml:4:11: cookies: a b: not the name of a cookie"),
        (HEAD + KINDS + "cookies: [{a: both}]\n", "a cookie is written name (kept from guests) or {name: guest}"),
        (HEAD + KINDS + f"cookies: [{', '.join(f'c{n}' for n in range(17))}]\n", "cookies: at most 16 names"),
        (
            HEAD + KINDS + "cookies: [x]\nupstream: {headers: {Cookie: abcdefgh}}\n",
            "Cookie: cookies: writes this header",
        ),
        (HEAD + KINDS + "shared: GET /x\n", "p.yaml:4:9: must be a list"),
        (HEAD + KINDS + "shared: [GET]\n", "p.yaml:4:10: a rule is written [page] METHOD[,METHOD] path[?query]"),
        (HEAD + KINDS + "shared: [FETCH /x]\n", "p.yaml:4:10: FETCH: unknown method"),
        (HEAD + KINDS + "shared: ['GET /x/{idd}']\n", "p.yaml:4:10: unknown name {idd} (did you mean id?)"),
        (HEAD + KINDS + "shared: ['GET /a/../b']\n", "p.yaml:4:10: can never be asked for: a dot segment"),
        (HEAD + KINDS + "shared: ['GET /a;b']\n", "p.yaml:4:10: can never be asked for"),
        (HEAD + KINDS + "shared: ['GET /a/**/b']\n", "p.yaml:4:10: ** stands at the end"),
        (HEAD + KINDS + "shared: ['GET /a?b={id}&b=1']\n", "p.yaml:4:10: the query names b twice"),
        (HEAD + KINDS + "shared: ['WS,GET /a']\n", "p.yaml:4:10: WS stands alone"),
        (HEAD + KINDS + "shared: ['page POST /a']\n", "p.yaml:4:10: a page is asked for with GET"),
        (
            HEAD + KINDS + "shared: [{request: GET /x, coalesce: {query: {a: b}}}]\n",
            "p.yaml:4:28: coalesce: this version does not implement it",
        ),
        (HEAD + KINDS + 'patterns: {n: "[0-9"}\n', "p.yaml:4:15: pattern: ends too early"),
        (HEAD + KINDS + "patterns: {id: a}\n", "p.yaml:4:12: id: is a variable already"),
        (HEAD + KINDS + "patterns: {s: {jwt: {sid: x}}}\n", "p.yaml:4:27: jwt: sid: without a variable every item"),
        (HEAD + KINDS + 'patterns: {s: {jwt: {sid: "{idd}"}}}\n', "p.yaml:4:27: unknown name {idd} (did you mean id?)"),
        (HEAD + KINDS + 'patterns: {n: x, s: {jwt: {sid: "{n}"}}}\n', "jwt: a claim is compared with variables"),
        (HEAD + KINDS + 'patterns: {s: {jwt: {sid: "{id}", sub: "{id}"}}}\n', "with one claim"),
        (HEAD + KINDS + 'patterns: {s: {jwt: "{id}"}}\n', "must be a mapping"),
        (HEAD + KINDS + 'patterns: {s: {jot: {sid: "{id}"}}}\n', "jot: unknown key (did you mean jwt?)"),
        (
            HEAD + KINDS + "patterns: {n: '[0-9/]+'}\nshared: ['GET /{n}']\n",
            "p.yaml:5:10: the pattern n can match a slash",
        ),
        (HEAD + KINDS + "guest_access: {links_per_item: 0}\n", "p.yaml:4:32: links_per_item: a whole number"),
        (HEAD + KINDS + "guest_access: {on_revoke: kick}\n", "p.yaml:4:27: on_revoke: drain or cut"),
        (HEAD + KINDS + "guest_access: {preview: all}\n", "p.yaml:4:25: preview: nothing or title"),
        (HEAD + KINDS + "guest_access: {cast: 4d}\n", "p.yaml:4:22: cast: must be from 1m to 12h"),
        (HEAD + KINDS + "guest_access: {cast: often}\n", "p.yaml:4:22: cast: must be a duration such as"),
        (HEAD + KINDS + "upstream: {checksum: {name: c}}\n", "p.yaml:4:12: checksum: unknown key"),
        (HEAD + KINDS + "guest_access: {max_day: 9}\n", "p.yaml:4:16: max_day: unknown key (did you mean max_days?)"),
        (
            HEAD + KINDS + "guest_access: {max_days: 0}\n",
            "p.yaml:4:26: max_days: must be a whole number from 1 to 36500",
        ),
        (HEAD + KINDS + "guest_access: {max_clicks: '5'}\n", "p.yaml:4:28: max_clicks: must be a whole number from 1"),
        (
            HEAD + KINDS + "guest_access: {default_days: 31, max_days: 30}\n",
            "p.yaml:4:30: default_days: is more than max_days, 30",
        ),
        (HEAD + KINDS + "guest_access: {require: pin}\n", "p.yaml:4:25: require: must be a list of days, clicks, pin"),
        (
            HEAD + KINDS + "guest_access: {require: [day]}\n",
            "p.yaml:4:26: require: can't be required of a link (did you mean days?)",
        ),
        (HEAD + KINDS + "guest_access: {require: [pin, pin]}\n", "p.yaml:4:31: require: stands here twice"),
        (HEAD + KINDS + "guest_access: {require: [{a: b}]}\n", "require: can't be required of a link (known: days,"),
        (HEAD + KINDS + "guest_access: {interactions: [chta]}\n", "p.yaml:4:31: no kind has interactions named chta"),
        (HEAD + KINDS + "upstream: {headers: {X-Key: short}}\n", "p.yaml:4:29: X-Key: at least 8 characters"),
        (
            HEAD + KINDS + "upstream: {headers: {Host: evil.example}}\n",
            "p.yaml:4:22: Host: this header is the gateway's",
        ),
        (HEAD + KINDS + 'upstream: {headers: {X: "a\\nlonger"}}\n', "p.yaml:4:25: X: visible ASCII only"),
        (HEAD + KINDS + "upstream: {basic: password1}\n", "p.yaml:4:19: basic: written user:password"),
        (HEAD + KINDS + "upstream: {jwt: {as: t}}\n", "p.yaml:4:17: key: is missing"),
        (
            HEAD + KINDS + "upstream: {jwt: {key: 12345678, claims: {}}}\n",
            "p.yaml:4:23: must be text; write it in quotes",
        ),
        (HEAD + KINDS + "upstream: {jwt: {key: short, claims: {}}}\n", "p.yaml:4:23: key: at least 8 characters"),
        (HEAD + KINDS + "upstream: {jwt: {key: abcdefgh}}\n", "p.yaml:4:17: claims: is missing"),
        (HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, claims: [a]}}\n", "claims: must be a mapping (claim: value)"),
        (
            HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, claims: {exp: 1}}}\n",
            "exp: the gateway writes this one itself",
        ),
        (
            HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, claims: {a: '{idd}'}}}\n",
            "unknown name {idd} (did you mean id?)",
        ),
        (
            HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, alg: none, claims: {}}}\n",
            "alg: HS256, HS384, HS512, RS256, ES256",
        ),
        (
            HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, alg: RS256, claims: {}}}\n",
            "key: is not an RSA private key in PEM",
        ),
        (
            HEAD + KINDS + "upstream: {jwt: {key: abcdefgh, minutes: 0, claims: {}}}\n",
            "minutes: a whole number from 1 to 720",
        ),
        (
            HEAD + KINDS + "upstream: {jwt: {as: a-b, key: abcdefgh, claims: {}}}\n",
            "as: a name of small letters, digits and _",
        ),
        (HEAD + KINDS + "upstream: {headers: {A: 'Bearer {jwt.token}'}}\n", "A: unknown name {jwt.token}"),
        (HEAD + KINDS + "upstream: {login: {request: GET /a}}\n", "p.yaml:4:19: secrets: is missing"),
        (HEAD + KINDS + "upstream: {login: {request: /a, secrets: {t: $.a}}}\n", "request: written POST /path"),
        (HEAD + KINDS + "upstream: {login: {request: POST /a/../b, secrets: {t: $.a}}}\n", "request: a dot segment"),
        (
            HEAD + KINDS + "upstream: {login: {request: POST /a, secrets: {t: a}}}\n",
            "a path into an answer begins with $",
        ),
        (
            HEAD + KINDS + "upstream: {login: {request: POST /a, secrets: {T: $.a}}}\n",
            "T: a secret's name has small letters",
        ),
        (
            HEAD + KINDS + "upstream: {login: {request: POST /a, secrets: {t: $.a}, again: [200]}}\n",
            "statuses from 400 to 499",
        ),
        (
            HEAD + KINDS + "upstream: {login: {request: POST /a, json: {}, form: {a: b}, secrets: {t: $.a}}}\n",
            "json and form: one of them, not both",
        ),
        (
            HEAD
            + KINDS
            + "upstream: {headers: {A: '{login.tokn}'}, login: {request: POST /a, secrets: {token: $.a}}}\n",
            "p.yaml:4:25: A: unknown name {login.tokn} (did you mean login.token?)",
        ),
        (
            HEAD + KINDS + "shared: ['GET /{login.t}']\nupstream: {login: {request: POST /a, secrets: {t: $.a}}}\n",
            "{login.t} is a secret between gateway and server, and can't stand here",
        ),
        (
            HEAD + KINDS + "shared: [{request: GET /a, answer: {json: {a: '{jwt.token}'}}}]\n"
            "upstream: {jwt: {key: abcdefgh, claims: {}}}\n",
            "{jwt.token} is a secret between gateway and server, and can't stand here",
        ),
        (
            HEAD + "kinds: {video: {open: /m, allow: [page GET /m], beside: x}}\n",
            "beside: webrtc or websocket, and nothing else",
        ),
        (HEAD + "kinds: {video: {allow: [GET /m]}}\n", "p.yaml:3:16: video: open or player is missing"),
        (HEAD + 'kinds: {video: {open: "/m/{id}"}}\n', "p.yaml:3:16: video: allow is missing"),
        (HEAD + "kinds: {video: {like: film}}\n", "p.yaml:3:23: like: no kind film stands above"),
        (
            HEAD + 'kinds: {live: {player: {src: "/x/{id}", as: whep}, allow: ["GET /x/{id}"]}}\n',
            "player.src: no rule allows /x/abc123",
        ),
        (HEAD + 'kinds: {video: {open: "/m/{id}", allow: ["GET /m/{id}"]}}\n', "must be marked page"),
        (HEAD + 'kinds: {video: {open: "/n/{id}", allow: ["page GET /m/{id}"]}}\n', "no rule allows /n/abc123"),
        (
            HEAD + 'kinds: {video: {open: "/m/{id}", page_urls: ["/watch"], allow: ["page GET /m/{id}"]}}\n',
            "a page's address must hold {id}",
        ),
        (
            HEAD + KINDS + 'examples: {allow: ["GET /m/zzz"]}\n',
            "p.yaml:4:20: GET /m/zzz: should be allowed, but nothing",
        ),
        (
            HEAD + KINDS + 'examples: {deny: ["GET /m/abc123"]}\n',
            "p.yaml:4:19: GET /m/abc123: should be denied, but line 3",
        ),
        (HEAD + KINDS + "examples: {with: {id: ABC}, deny: [GET /]}\n", "p.yaml:4:23: ABC is no id of this server"),
        (HEAD + KINDS + "examples: {with: {kind: vdeo}}\n", "p.yaml:4:25: no kind vdeo (did you mean video?)"),
        (
            HEAD
            + 'kinds:\n  video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}\n'
            + '  live: {open: "/l/{id}", allow: ["page GET /lv/{id}"]}\n',
            "p.yaml:5:16: open: no rule allows /l/abc123",
        ),
        (HEAD + KINDS + "examples: {allow: [/m]}\n", "p.yaml:4:20: an example is written METHOD /path"),
        ('server: x\nitem: {id: "[a-z/]+"}\n' + KINDS, "p.yaml:2:12: id: must always hold the same number of slashes"),
        ('server: x\nitem: {id: "[a-z]*"}\n' + KINDS, "p.yaml:2:12: id: must not match the empty text"),
        (HEAD + KINDS + "origins: &x []\ncookies: *x\n", "anchors"),
        (HEAD + KINDS + "shared: !!python/object:os.system []\n", "tags"),
        ("server: ${NOPE}\n", "p.yaml:1:9: the environment variable NOPE is not set"),
        ("server: [\n", "not YAML"),
        (
            'server: x\nitem: {id: "[a-z0-9]+", resolve: [{request: GET /i, vars: {t: title}}]}\n' + KINDS,
            "a path into an answer begins with $",
        ),
        (
            'server: x\nitem: {id: "[a-z0-9]+", kind: {$.t: {a: film}}, resolve: [{request: GET /i}]}\n' + KINDS,
            "no kind film",
        ),
    ],
)
def test_each_fault_is_named_with_its_place(text: str, wanted: str) -> None:
    found = faults(text)
    assert any(wanted in fault for fault in found), found


def test_all_faults_come_at_once() -> None:
    """Faults of shape, of patterns, of names and of rules alike, in the order of the file."""
    found = faults(
        """server: 7
item: {id: "["}
kinds:
  video:
    open: /m/{idd}
    allow: [GIT /m, "page GET /m/{id}", "GET /a/../b", {request: GET /x, coalesce: {}, foo: 1}]
    prepare: [x]
patterns: {n: no, f: "(a"}
guest_access: {on_revoke: kick, interactions: [chat]}
upstream: {headers: {X-Key: short}}
examples: {with: {kind: vdeo}, deny: [/m]}
extra: 1
"""
    )
    assert [fault.split(":")[1] for fault in found] == [
        "1",
        "2",
        "5",
        "6",
        "6",
        "6",
        "7",
        "8",
        "8",
        "9",
        "9",
        "10",
        "11",
        "11",
        "12",
    ]


def test_an_unset_name_is_one_fault_where_the_policy_is_used_and_none_elsewhere(tmp_path: Path) -> None:
    """Also where what is left without it could not stand: a short credential, no rule, no address."""
    path = tmp_path / "p.yaml"
    path.write_text(
        HEAD
        + """kinds:
  video:
    page_urls: ["${PAGE}"]
    open: "${OPEN}"
    allow: ["${RULE}", "page GET /m/{id}"]
  live:
    player: {src: "/${FILE}"}
    allow: ["GET /m/{id}"]
upstream: {headers: {Authorization: "Bearer ${TOKEN}"}, basic: "${BASIC}"}
examples: {allow: ["GET /${FILE}"]}
"""
    )
    assert load_policy(path, environ={}, strict_env=False).title == "x"
    with pytest.raises(BadFile) as caught:
        load_policy(path, environ={}, shown="p")
    names = ["PAGE", "OPEN", "RULE", "FILE", "TOKEN", "BASIC", "FILE"]
    assert [fault.what for fault in caught.value.faults] == [
        f"the environment variable {name} is not set here (set it, or write ${{{name}:-default}})" for name in names
    ]


def test_empty_forms_of_what_is_not_there_yet_are_fine() -> None:
    assert faults(HEAD + KINDS + "origins: []\ncookies: []\nreplace: {}\npaths: {}\n") == []


def test_warnings_where_another_items_files_may_match() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9-]+"}
patterns: {n: "[0-9]+", s: "[0-9-]+", f: "[a-z]+"}
kinds:
  video:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - GET /a/{id}/**
      - GET /b/{id}-{s}.ts
      - GET /b/{id}-{n}.ts
      - GET /c/{id}.{n}.ts
      - GET /d/{id}/{f}
      - GET /e/{id}{n}.ts
"""
    )
    # `x-1-2` is a number of `x-1` and can be none of `x`, where a number holds no dash.
    assert [warning.line for warning in policy.warnings] == [10, 11, 15]
    assert "** follows {id}" in policy.warnings[0].what
    assert "an id may hold '-'" in policy.warnings[1].what


def test_a_policy_that_tells_the_server_who_the_guest_is_is_reported() -> None:
    """Name and address leave the store only where the operator has been told, and the guest (spec 8)."""
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+"}
kinds:
  room:
    open: /join/{id}?who={guest.name}
    allow: ["page GET /join/{id}?who={guest.name}"]
    interactions: {chat: ["GET /chat/{guest.email}"]}
  audio:
    player: {src: "/a/{id}.mp3", poster: "/for/{guest.email}.jpg"}
    allow: ["GET /a/{id}.mp3", "GET /for/{guest.email}.jpg"]
  video:
    open: /m/{id}?g={guest.id}
    allow: ["page GET /m/{id}?g={guest.id}"]
"""
    )
    assert {name: set(kind.told) for name, kind in policy.kinds.items()} == {
        "room": {"name"},
        "audio": {"email"},
        "video": set(),
    }
    assert sorted((fault.line, fault.column, fault.what.split()[0]) for fault in policy.warnings) == [
        (6, 11, "{guest.name}"),
        (7, 13, "{guest.name}"),
        (10, 42, "{guest.email}"),
        (11, 32, "{guest.email}"),
    ]


def test_previews_name_nothing_unless_the_policy_says_so() -> None:
    assert load_policy_text(HEAD + KINDS).preview == "nothing"
    assert load_policy_text(HEAD + KINDS + "guest_access: {preview: title}\n").preview == "title"


def test_an_example_may_be_of_an_item_that_is_a_number() -> None:
    text = """
server: x
item: {id: "[0-9]+", resolve: [{request: "GET /i/{id}", vars: {part: $.part}}]}
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}", "GET /p/{part}"]}}
examples: {with: {id: 0123, vars: {part: [7, 0.50]}}, allow: [GET /m/0123, GET /p/7, GET /p/0.50], deny: [GET /p/0.5]}
"""
    assert load_policy_text(text).kinds["video"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('server: ""\nitem: {id: "[a-z]+"}\n' + KINDS, "1:9"),
        ('server: x\nitem: {id: ""}\n' + KINDS, "2:12"),
        (HEAD + 'patterns: {n: ""}\n' + KINDS, "3:15"),
        (HEAD + 'shared: [""]\n' + KINDS, "3:10"),
        (HEAD + 'shared: [{request: ""}]\n' + KINDS, "3:20"),
        (HEAD + 'shared: [{request: GET /a, at: ""}]\n' + KINDS, "3:32"),
        (HEAD + 'shared: [{request: POST /a, capture: {s: ""}}]\n' + KINDS, "3:42"),
        (HEAD + 'shared: [{request: GET /a/b, follow: {as: hls, to: [""]}}]\n' + KINDS, "3:53"),
        (HEAD + 'origins: [""]\n' + KINDS, "3:11"),
        (HEAD + 'upstream: {jwt: {key: "", claims: {sub: x}}}\n' + KINDS, "3:23"),
        (HEAD + 'upstream: {jwt: {key: "${NOTHING:-}", claims: {sub: x}}}\n' + KINDS, "3:23"),
        (HEAD + 'upstream: {login: {request: "", json: {a: b}, secrets: {t: $.t}}}\n' + KINDS, "3:29"),
        ('server: x\nitem: {id: "[a-z]+", resolve: [{request: ""}]}\n' + KINDS, "2:42"),
    ],
)
def test_an_empty_text_stands_for_nothing(text: str, place: str) -> None:
    assert f"p.yaml:{place}: must not be empty" in faults(text)


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ('{id: "(?P<id>[a-z]+)"}', "p.yaml:2:12: id: a part can't be named id"),
        ('{id: "(?P<public_url>[a-z]+)"}', "p.yaml:2:12: id: a part can't be named public_url"),
        ('{id: "[a-z]+", resolve: [{request: GET /i, vars: {id: $.a}}]}', "p.yaml:2:57: id: is a variable"),
        ('{id: "[a-z]+", resolve: [{request: GET /i, vars: {guest.id: $.a}}]}', "p.yaml:2:57: guest.id: is a variable"),
        ('{id: "(?P<a>[a-z]+)", resolve: [{request: GET /i, vars: {a: $.a}}]}', "p.yaml:2:64: a: is a variable"),
        ('{id: "[a-z]+", resolve: [{request: GET /i, vars: {aB: $.a}}]}', "p.yaml:2:57: aB: a variable's name has"),
    ],
)
def test_names_of_an_item_are_its_own(item: str, wanted: str) -> None:
    found = faults(f"server: x\nitem: {item}\n" + KINDS)
    assert any(fault.startswith(wanted) for fault in found), found
