"""What can break, as a closed tree.

    GatewayError
    ├── BadFile           config.yaml or a policy; carries every fault with its place
    ├── BadSecret         a key that is short, readable by others, missing, or not the store's
    ├── BadCertificate    a certificate and key that can't be used together
    ├── BadBackup         a backup that is cut, damaged or of a later version: nothing of it is restored
    ├── StoreDown         Redis dead, hung, full, read-only or emptied: nobody is admitted, doors answer 503
    │   └── StoreTooNew   a record written by a later version: refused, never guessed at
    └── UpstreamFailed    the media server did not answer as it should
        ├── UpstreamDown  no connection, or it broke before the answer's head: 502
        └── UpstreamSlow  connected, but no answer within the deadline: 504

Expected outcomes (refused, expired, full) are values, see `reasons`; exceptions are for what broke.
Foreign exceptions are mapped once, at the border: `store.client` and `upstream.client`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.yaml_source import Fault


class GatewayError(Exception):
    """Root of everything this program raises on purpose."""


class BadFile(GatewayError):
    """A file the operator wrote is wrong; `faults` holds every mistake, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class BadSecret(GatewayError):
    """A secret cannot be used; the message says which and what to do, never its value."""


class BadCertificate(GatewayError):
    """The gateway's own TLS can't be had from these files; `which` is the one at fault, certificate or key."""

    def __init__(self, which: str, what: str) -> None:
        super().__init__(what)
        self.which = which


class BadBackup(GatewayError):
    """A file that can't be restored, as it is or by this version; the message says why."""


class StoreDown(GatewayError):
    """The store did not answer within its deadline, refused to write, or has lost its data."""


class StoreTooNew(StoreDown):
    """A record carries a schema version that this program does not know."""


class UpstreamFailed(GatewayError):
    """The media server failed us."""


class UpstreamDown(UpstreamFailed):
    """No connection, or one that broke before the answer's head."""


class UpstreamSlow(UpstreamFailed):
    """No answer within the deadline."""
