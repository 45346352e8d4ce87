"""What can be taken out without this suite failing, each with its reason. A mutant is excused when its name holds
one of these texts."""

from __future__ import annotations

_QUICKER = "only quicker: the same comes out without it"
_AGAIN = "a later step says the same"
_REASON = "the reason alone changes: tests/policy/test_decide.py"
_STORE = "what happens when the store or the media server fails: tests/access/test_authorize.py, tests/system"
_CREDENTIALS = "for servers with credentials: tests/proxy/test_credentials.py"
_PARSER = "the parser says the same today, and this is for the day on which it does not: tests/web/test_framing.py"
_SEALED = "for a cookie that is sealed with our key and wrong all the same: tests/web/test_session.py"
_BODIES = "bounds what is read: tests/proxy/test_door.py, tests/web/test_edge.py"
_BEFORE = "refused before"
_WHOLE = "variables that hold whole paths: tests/policy/test_decide.py"

SURVIVORS: dict[str, str] = {
    "target.py _parse_path: no `if '%' not in segment`": _QUICKER,
    "target.py _parse_query: no `if '%' not in part`": _QUICKER,
    "target.py _decode: no `not text.isascii()`": _QUICKER,
    "target.py _segment_trouble: no `if text.isascii() and '%' not in text": _QUICKER,
    "target.py _segment_trouble: no `_is_dots(text)`": _AGAIN,
    "target.py _segment_trouble: no `_is_dots(reduced)`": _AGAIN,
    "target.py _segment_trouble: no '/' in": _AGAIN,
    "target.py _segment_trouble: no '\\\\' in": _AGAIN,
    "target.py _decode_fully: no `if '%' not in text`": _QUICKER,
    "target.py smuggled_name: no `not any(": _QUICKER,
    "decide.py decide: no `if target.pairs`": _QUICKER,
    "decide.py decide: no `if not matched`": _REASON,
    "decide.py decide: no `rules` in `or`": _REASON,
    "decide.py decide: no `candidates.by_pair` in `or`": _REASON,
    "decide.py decide: no `if rules or candidates.by_pair`": _REASON,
    "decide.py _query_fits: ": _WHOLE,
    "template.py matches: no `if len(self.parts) == 1`": _QUICKER,
    "headers.py towards_server: no `if whole": _CREDENTIALS,
    "headers.py towards_server: no `whole": _CREDENTIALS,
    "headers.py towards_server: no `'accept-encoding' not in ours`": _CREDENTIALS,
    "headers.py towards_server: no `lower in ours`": _CREDENTIALS,
    "headers.py towards_server: no `lower in _PARTIAL`": _CREDENTIALS,
    "headers.py _is_plain: no `eight_bit`": "for answers: tests/proxy/test_door.py",
    "headers.py _is_plain: no `all(": "for answers: tests/proxy/test_door.py",
    "door.py handle: ": "the dispatcher closes after the same answers",
    "door.py by hand: response.force_close()": "the dispatcher closes after the same answers",
    "authorize.py judge: no `if failed is not None`": _STORE,
    "authorize.py judge: no `if lives is None`": _STORE,
    "authorize.py judge: no `if refused is not None`": _STORE,
    "authorize.py judge: no `if live.ended is None`": _STORE,
    "authorize.py judge: no `if denied is None`": _STORE,
    "authorize.py judge: no `refused`": _STORE,
    "authorize.py judge: no `denied`": _STORE,
    "session.py _open: no `if len(self._opened) > _REMEMBERED`": "bounds memory: nothing passes by it",
    "dispatch.py _answer: no `if begun": "what to do when we fail ourselves: tests/system",
    "template.py matches: no `if literal": _QUICKER,
    "template.py matches: no `if isinstance": _QUICKER,
    "template.py matches: no `bool(value)`": "no variable has an empty value: tests/policy/test_decide.py",
    "headers.py _is_plain: no `'\\t' in value` in `and`": _QUICKER,
    "headers.py _is_plain: no `value.replace": "the edge refuses controls: tests/web/test_framing.py",
    "headers.py _is_plain: no `if value.isascii()`": _AGAIN,
    "door.py _refused_before_rules: no `request.method in ('GET', 'HEAD')": "the dispatcher has " + _BEFORE,
    "door.py _refused_before_rules: no 'GET' in": "the dispatcher has " + _BEFORE,
    "door.py _refused_before_rules: no 'HEAD' in": "the dispatcher has " + _BEFORE,
    "websocket.py fault_of: no `if has_body": _BEFORE + " by the door",
    "websocket.py fault_of: no `len(keys[0]) == 24`": "16 bytes have no other length in base64",
    "websocket.py fault_of: no strip in": "the parser has trimmed it",
    "websocket.py fault_of: no `if not lists(headers, 'Connection', 'upgrade')`": "aiohttp's own check says the same",
    "dispatch.py __call__: no `if visit is not None and (planted": "for browsers: tests/web/test_twins.py",
    "dispatch.py __call__: no `visit is not None`": "for browsers: tests/web/test_twins.py",
    "dispatch.py __call__: no `(planted": "for browsers: tests/web/test_twins.py",
    "dispatch.py __call__: no `if visit.grant`": "who counts as a guest: tests/web/test_edge.py",
    "framing.py fault_of: no `if names.translate": _PARSER,
    "framing.py fault_of: no `names.translate": _PARSER,
    "framing.py fault_of: no `not all((name": _PARSER,
    "framing.py fault_of: no `b'_' in names or": _QUICKER,
    "framing.py _body_fault: no `if lengths and codings`": _PARSER,
    "framing.py _body_fault: no `len(": _PARSER,
    "edge.py _make_request: ": "so that no answer breaks: tests/web/test_edge.py",
    "edge.py _answer: no `if not response.prepared": "aiohttp reads the rest away: tests/web/test_edge.py",
    "edge.py _answer: no `not": "aiohttp reads the rest away: tests/web/test_edge.py",
    "same_origin.py foreign: no `accept_null`": "for the entry form: tests/web/test_same_origin.py",
    "body.py drained: no ": _BODIES,
    "session.py open: no `len(cookie) > _MAX_LENGTH`": _AGAIN,
    "session.py load_cookie: no `if name not in header`": _QUICKER,
    "session.py _open: no ": _SEALED,
    "session.py load_cookie: no `equals`": "stricter without it",
    "authorize.py judge: no `if not grant_ids`": _REASON,
    "client.py _url: no ": "canonical targets have it: tests/upstream/test_client.py",
    "servers.py at_host: no lower": "an address has no letters: tests/access/test_servers.py",
}
