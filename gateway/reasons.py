"""The closed list of reasons for which somebody is refused, each with its HTTP status.

The reason goes to the log and the metrics together with a short reference; the guest sees the
reference and the text of `page` (a key of the message catalogue), never the reason itself.

Why one table: a status that is decided in two places will sooner or later differ in them, and a
difference tells a stranger something. Spec 3.8 and 4 are this table in prose.
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """`name` is what logs and metrics say; `status` the HTTP status; `page` the message shown."""

    status: int
    page: str

    def __new__(cls, label: str, status: int, page: str) -> Reason:
        member = object.__new__(cls)
        member._value_ = label
        member.status = status
        member.page = page
        return member

    # A link that cannot be used. Unknown, expired, used-up and deleted share one text on purpose.
    LINK_UNKNOWN = ("link_unknown", 404, "invalid")
    LINK_EXPIRED = ("link_expired", 410, "invalid")
    LINK_USED_UP = ("link_used_up", 410, "invalid")
    LINK_DELETED = ("link_deleted", 410, "invalid")
    TOO_MANY_GUESSES = ("too_many_guesses", 429, "unchecked")
    ACCESS_OFF = ("access_off", 410, "off")
    MEDIA_GONE = ("media_gone", 410, "gone")
    MEDIA_ENDED = ("media_ended", 410, "ended")
    # Good, but not at this moment: pages that go on by themselves.
    NOT_OPEN_YET = ("not_open_yet", 403, "scheduled")
    FULL = ("full", 503, "full")
    # A live item that has not begun: a page that goes on by itself, nothing is wrong.
    NOT_STARTED = ("not_started", 200, "not_started")
    # One that was on the air since it was said so, and is not now: over, or a pause. Nobody can tell which.
    NOT_LIVE = ("not_live", 200, "not_live")

    # Somebody without the right to be here.
    NO_SESSION = ("no_session", 403, "link_needed")
    GRANT_ENDED = ("grant_ended", 403, "access_ended")
    COOKIES_NEEDED = ("cookies_needed", 403, "cookies")
    CROSS_SITE = ("cross_site", 403, "denied")
    NOT_OPENED = ("not_opened", 403, "denied")
    SERVICE_WORKER = ("service_worker", 403, "denied")
    NO_RULE = ("no_rule", 403, "denied")
    QUERY_REFUSED = ("query_refused", 403, "denied")
    METHOD_REFUSED = ("method_refused", 403, "denied")
    # An address for players without the cookie: too old, or used from too many places.
    CAST_OVER = ("cast_over", 403, "denied")
    CAST_ELSEWHERE = ("cast_elsewhere", 403, "denied")

    # Managing.
    NOT_SIGNED_IN = ("not_signed_in", 401, "sign_in")
    NOT_PERMITTED = ("not_permitted", 403, "not_permitted")
    CHANGE_REFUSED = ("change_refused", 409, "change")
    TOO_MANY_TRIES = ("too_many_tries", 429, "unchecked")
    SIGN_IN_BUSY = ("sign_in_busy", 503, "unchecked")

    # A form that has to be filled in again.
    FORM_INVALID = ("form_invalid", 422, "form")
    # A wrong PIN, or an address that is not on the link's list: which of them is not said.
    NOT_INVITED = ("not_invited", 403, "form")
    TOO_MANY_WRONG = ("too_many_wrong", 429, "too_many_wrong")
    FORM_STALE = ("form_stale", 422, "form")
    FORM_TOO_LARGE = ("form_too_large", 413, "ambiguous")

    # A request that can be read two ways, or not at all.
    AMBIGUOUS_TARGET = ("ambiguous_target", 400, "ambiguous")
    AMBIGUOUS_REQUEST = ("ambiguous_request", 400, "ambiguous")
    BODY_REFUSED = ("body_refused", 400, "ambiguous")
    BODY_TOO_LARGE = ("body_too_large", 413, "ambiguous")
    BAD_HANDSHAKE = ("bad_handshake", 400, "ambiguous")
    WRONG_HOST = ("wrong_host", 421, "ambiguous")
    NOT_FOUND = ("not_found", 404, "missing")
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "missing")

    # Something behind us failed.
    STORE_DOWN = ("store_down", 503, "unchecked")
    GUEST_BUSY = ("guest_busy", 503, "unchecked")
    TEXTS_WAIT = ("texts_wait", 503, "unchecked")
    UPSTREAM_DOWN = ("upstream_down", 502, "server_down")
    UPSTREAM_SLOW = ("upstream_slow", 504, "server_slow")
    SERVER_ERROR = ("server_error", 502, "server_down")
    REDIRECT_REFUSED = ("redirect_refused", 502, "server_down")
    CREDENTIAL_IN_ANSWER = ("credential_in_answer", 502, "server_down")
    FOLLOW_REFUSED = ("follow_refused", 502, "server_down")
    ANSWER_UNREADABLE = ("answer_unreadable", 502, "server_down")
    ANSWER_TOO_LARGE = ("answer_too_large", 502, "server_down")
    INTERNAL = ("internal", 500, "unchecked")

    def __str__(self) -> str:
        return str(self.value)
