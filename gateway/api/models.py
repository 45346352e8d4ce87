"""What goes in and comes out of the API, as JSON Schema: the one description for checks and for OpenAPI."""

from __future__ import annotations

from typing import Any

from gateway.access.link_fields import MAX_VIEWERS
from gateway.access.listing import MAX_PAGE, SORTS
from gateway.ceilings import MAX_CLICKS, MAX_DAYS, REQUIRABLE
from gateway.links.events import Action
from gateway.links.invitation import MAX_ENTRIES, PIN_LENGTHS
from gateway.links.rules import State
from gateway.links.text import MAX_LENGTH
from gateway.store.audit import EVENT_ID

_PLAIN = r"^[^\u0000-\u001f\u007f-\u009f]*$"  # what may stand in an address: no control characters
_SERVER = {
    "type": "string",
    "minLength": 1,
    "maxLength": 40,
    "pattern": _PLAIN,
    "description": "A server's name in config.yaml.",
}
_ITEM = {
    "type": "string",
    "minLength": 1,
    "maxLength": 2_000,
    "pattern": _PLAIN,
    "description": "An item's id on its media server, or the address of its page.",
}
_KIND = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": 40,
    "description": "Where the policy has several and the item does not tell; of one that is known here it is known.",
}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "description": "Who the link is for, or what."}
_CLICKS = {
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": MAX_CLICKS,
    "description": "How many guests it admits; null: any number.",
}
_DAYS = {
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": MAX_DAYS,
    "description": "How long it is good, N x 24 h from now; null: for ever.",
}
_STARTS = {
    "type": ["string", "null"],
    "format": "date-time",
    "maxLength": 40,
    "description": "Nobody is let in before; RFC 3339 with its zone; null: at once.",
}
_VIEWERS = {
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": MAX_VIEWERS,
    "description": "How many guests may watch at once; null: any number.",
}
_PIN = {
    "type": ["string", "null"],
    "minLength": PIN_LENGTHS[0],
    "maxLength": PIN_LENGTHS[1],
    "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f]*$",
    "description": "What guests must type besides; never told again; null: nothing.",
}
_EMAILS = {
    "type": ["array", "null"],
    "maxItems": MAX_ENTRIES,
    "items": {"type": "string", "format": "address-or-domain"},
    "description": "Addresses and domains (@example.org) it is for; empty or null: any. It filters and proves nothing.",
}
_OPTIONS = {
    "name": _NAME,
    "clicks": _CLICKS,
    "days": _DAYS,
    "starts_at": _STARTS,
    "viewers": _VIEWERS,
    "pin": _PIN,
    "emails": _EMAILS,
}
_TIME = {"type": "string", "format": "date-time", "description": "RFC 3339, UTC."}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}


def _object(properties: dict[str, Any], *, required: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """Of an answer: everything is there."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
        **more,
    }


LINK_CREATE = _object(
    {"server": _SERVER, "item": _ITEM, "kind": _KIND, **_OPTIONS},
    required=["server", "item", "name"],
)
LINK_PATCH = _object(
    {**_OPTIONS, "enabled": {"type": "boolean"}},
    required=[],
    minProperties=1,
)
ACCESS_PUT = _object(
    {"server": _SERVER, "item": _ITEM, "kind": _KIND, "enabled": {"type": "boolean"}},
    required=["server", "item", "enabled"],
)

LINK = _object(
    {
        "id": _TEXT,
        "server": _TEXT,
        "item": _TEXT,
        "kind": _TEXT,
        "title": _MAYBE_TEXT,
        "name": _TEXT,
        "url": {
            "type": ["string", "null"],
            "description": "null: its server has left config.yaml, or its key is gone.",
        },
        "state": {"type": "string", "enum": [str(state) for state in State]},
        "clicks": _object({"limit": {"type": ["integer", "null"]}, "used": _COUNT}),
        "created_at": _TIME,
        "starts_at": _MAYBE_TIME,
        "expires_at": _MAYBE_TIME,
        "created_by": _TEXT,
        "enabled": {"type": "boolean"},
        "viewers": _object({"limit": {"type": ["integer", "null"]}, "now": _COUNT}),
        "pin": {"type": "boolean"},
        "emails": {"type": ["array", "null"], "items": {"type": "string"}},
        "wrong_tries": {
            **_COUNT,
            "description": "Wrong PINs and addresses of late; about as many as fit in an hour make new guests wait.",
        },
        "version": {"type": "integer", "minimum": 1},
    }
)
LINKS = _object(
    {
        "links": {"type": "array", "items": {"$ref": "#/components/schemas/Link"}},
        "total": _COUNT,
        "next": {"type": "string", "description": "The cursor of the next page; not there on the last one."},
    },
    required=["links", "total"],
)
CEILINGS = _object(
    {
        "default_days": {
            "type": ["integer", "null"],
            "description": "What a link lasts for which no days are said, unless they are required; null: for ever.",
        },
        "max_days": {"type": ["integer", "null"], "description": "From now, also in a change; null: any."},
        "max_clicks": {
            "type": ["integer", "null"],
            "description": "Also what a link gets for which no clicks are said, unless they are required; null: any.",
        },
        "require": {"type": "array", "items": {"type": "string", "enum": list(REQUIRABLE)}},
    },
    description="What links of this item must keep to. Links from before that go beyond it work on as they are.",
)
ACCESS = _object(
    {
        "server": _TEXT,
        "item": _TEXT,
        "kind": _TEXT,
        "title": _MAYBE_TEXT,
        "enabled": {"type": "boolean"},
        "links": {"type": "array", "items": {"$ref": "#/components/schemas/Link"}},
        "links_allowed": _COUNT,
        "ceilings": {"$ref": "#/components/schemas/Ceilings"},
    }
)
GUEST = _object(
    {
        "id": _TEXT,
        "link": _TEXT,
        "server": _TEXT,
        "item": _TEXT,
        "name": _TEXT,
        "email": _TEXT,
        "fields": {
            "type": "object",
            "additionalProperties": {"type": ["string", "boolean"]},
            "description": "What they answered to the fields of config.yaml, by name; a box is true or false.",
        },
        "consent": {
            "anyOf": [_object({"version": _TEXT, "at": _TIME}), {"type": "null"}],
            "description": "The version of the consent text they agreed to, and when; null: of none.",
        },
        "first_seen": _TIME,
        "last_seen": _TIME,
        "watched_s": {**_COUNT, "description": "Seconds, in slots of 30 in which something was watched."},
        "present": {"type": "boolean"},
    }
)
GUESTS = _object({"guests": {"type": "array", "items": {"$ref": "#/components/schemas/Guest"}}})
EVENT = _object(
    {
        "id": _TEXT,
        "at": _TIME,
        "who": _TEXT,
        "action": {"type": "string", "enum": [str(action) for action in Action]},
        "server": _MAYBE_TEXT,
        "item": _MAYBE_TEXT,
        "link": _MAYBE_TEXT,
        "guest": _MAYBE_TEXT,
        "detail": {"type": "object", "additionalProperties": _TEXT},
    }
)
AUDIT = _object(
    {"events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}, "next": _TEXT}, required=["events"]
)
PROBLEM = _object(
    {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "reference": {"type": "string", "description": "Stands in the gateway's log too."},
        "errors": {"type": "object", "additionalProperties": _TEXT, "description": "Field to what is wrong with it."},
    },
    required=["type", "title", "status", "detail"],
    description="RFC 9457",
)

SCHEMAS = {
    "Link": LINK,
    "Links": LINKS,
    "Access": ACCESS,
    "Ceilings": CEILINGS,
    "Guest": GUEST,
    "Guests": GUESTS,
    "Event": EVENT,
    "Audit": AUDIT,
    "LinkCreate": LINK_CREATE,
    "LinkPatch": LINK_PATCH,
    "AccessPut": ACCESS_PUT,
    "Problem": PROBLEM,
}

# Query parameters, by name. All are texts on the wire; `read_query` makes values of them.
LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}
SORT = {"type": "string", "enum": [sign + name for name in SORTS for sign in ("", "-")], "default": "-created_at"}
STATE = {"type": "string", "enum": [str(state) for state in State if state is not State.DELETED]}
ACTION = {"type": "string", "enum": [str(action) for action in Action]}
BOOLEAN = {"type": "boolean"}
BREAKS = {**BOOLEAN, "description": "Only links that go beyond the ceilings of their server, or only others."}
SHORT = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": _PLAIN}
SERVER = _SERVER
ITEM = _ITEM
EVENT_CURSOR = {"type": "string", "maxLength": 40, "pattern": f"^{EVENT_ID}$"}
