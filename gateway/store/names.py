"""The names of keys in the store.

    gw:meta                      schema version and the id of the key that sealed the tokens
    gw:items                     slots of all items that ever had a link or a switch (stale ones are harmless)
    gw:audit                     stream of what managers and guests did
    gw:manager:<hash>            a manager's session, by a hash of the id in the cookie
    gw:sign-in:<hash>            a sign-in under way at a provider, by a hash of its state
    gw:{notices}:lease           who sends notices to webhooks now
    gw:{notices}:marks           how far the audit log has been turned into notices, and what was told of before
    gw:{releases}:watched        grants that hold something on a media server, by when to look at them
    gw:{releases}:due            those that have ended, by when to release it; `:jobs` has the rest of both
    gw:{notices}:<part>:<name>   of a webhook: `due` and `age` of its notices by time, `messages`, `state`
    gw:token:<fingerprint>       link id; read first, it says in which slot the rest lies
    gw:{<slot>}:item             the item and its switch
    gw:{<slot>}:links            ids of its links by creation; deleted ones are in `:deleted` by deletion
    gw:{<slot>}:link:<id>
    gw:{<slot>}:form:<key>       what a form's one-time id has admitted
    gw:{<slot>}:guests           ids of its guests by first admission
    gw:{<slot>}:guest:<id>
    gw:{<slot>}:watched:<id>     a bit for each half minute since a guest's admission in which they watched
    gw:{<slot>}:grant:<id>
    gw:{<slot>}:live:<link id>   grants of this link that have not ended, by last activity
    gw:{<slot>}:cast:<grant id>  hashes of the addresses that play it without its cookie, by last request
    gw:{<slot>}:wrong:<link id>  how full the bucket of wrong PINs and addresses is, and when; with `:<hash>` behind
                                 it that of one network address

The braces are Redis Cluster's hash tag: all of an item lies on one node, where one script reaches it.
"""

from __future__ import annotations

from gateway.links.ids import guest_of, slot_of

META, ITEMS, CHANGES, AUDIT = "gw:meta", "gw:items", "gw:changes", "gw:audit"
NOTICES_LEASE, NOTICES_MARKS = "gw:{notices}:lease", "gw:{notices}:marks"
RELEASES_WATCHED, RELEASES_DUE, RELEASES_JOBS = "gw:{releases}:watched", "gw:{releases}:due", "gw:{releases}:jobs"


def token(fingerprint: str) -> str:
    return f"gw:token:{fingerprint}"


def manager(digest: str) -> str:
    return f"gw:manager:{digest}"


def sign_in(digest: str) -> str:
    return f"gw:sign-in:{digest}"


def item(slot: str) -> str:
    return f"gw:{{{slot}}}:item"


def links(slot: str) -> str:
    return f"gw:{{{slot}}}:links"


def deleted(slot: str) -> str:
    return f"gw:{{{slot}}}:deleted"


def link(identifier: str) -> str:
    return f"gw:{{{slot_of(identifier)}}}:link:{identifier}"


def form(slot: str, key: str) -> str:
    return f"gw:{{{slot}}}:form:{key}"


def guests(slot: str) -> str:
    return f"gw:{{{slot}}}:guests"


def guest(identifier: str) -> str:
    """Of a guest, or of a grant's guest."""
    return f"gw:{{{slot_of(identifier)}}}:guest:{guest_of(identifier)}"


def watched(identifier: str) -> str:
    """Of a guest, or of a grant's guest."""
    return f"gw:{{{slot_of(identifier)}}}:watched:{guest_of(identifier)}"


def grant(identifier: str) -> str:
    return f"gw:{{{slot_of(identifier)}}}:grant:{identifier}"


def cast(grant_id: str) -> str:
    return f"gw:{{{slot_of(grant_id)}}}:cast:{grant_id}"


def live(link_id: str) -> str:
    return f"gw:{{{slot_of(link_id)}}}:live:{link_id}"


def webhook(name: str) -> tuple[str, str, str, str]:
    """due, age, messages and state of a webhook's queue."""
    due, age, messages, state = (f"gw:{{notices}}:{part}:{name}" for part in ("due", "age", "messages", "state"))
    return due, age, messages, state


def wrong(link_id: str, source: str = "") -> str:
    """`source`: a hash of the network address; none for the whole link."""
    return f"gw:{{{slot_of(link_id)}}}:wrong:{link_id}" + (f":{source}" if source else "")
