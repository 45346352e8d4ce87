"""The certificate that is in force, and the next one.

Rule: the files are looked at every few seconds and on `reload`; a new pair is used as a whole or not at
all. What runs keeps what it began with, new connections get the new one. A bad pair is said in the log
and the old one stays; so it does when the new one has expired and the old one has not.

Why two looks before anything is read: whoever renews writes two files one after the other, and between
them they do not belong together.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.certificate import load_certificate
from gateway.config import Tls
from gateway.errors import BadCertificate

_log = logging.getLogger("gateway.tls")

LOOK_SECONDS = 2.0

_Sign = tuple[tuple[int, int, int] | None, ...]


def _today() -> datetime:
    return datetime.now(UTC)


class CertificateKeeper:
    """`current` is in force; `fault` what was wrong with the files when they were read last, else None."""

    def __init__(self, files: Tls, *, clock: Callable[[], datetime] = _today) -> None:
        """Raises BadCertificate."""
        self._files = files
        self._clock = clock
        self._read = _sign(files)
        self.current = load_certificate(files)
        self.fault: str | None = None

    def context(self) -> ssl.SSLContext:
        """For a connection that begins now."""
        return self.current.context

    def reload(self, files: Tls | None = None) -> bool:
        """Take the files as they are now (or others); False: they are bad, and all stays as it was. Reads
        two small files; never raises for what is in them."""
        wanted = files or self._files
        sign = _sign(wanted)
        try:
            found = load_certificate(wanted)
            now = self._clock()
            if found.ends <= now < self.current.ends:
                raise BadCertificate("certificate", f"{wanted.certificate} has expired on {found.ends:%Y-%m-%d}")
        except BadCertificate as error:
            _log.error("the certificate in force stays: %s", error)
            self.fault = str(error)
            if wanted == self._files:
                self._read = sign  # not again before they change
            return False
        if found.fingerprint != self.current.fingerprint or self.fault is not None:
            _log.info(
                "a new certificate is in force, for %s, until %s", ", ".join(found.names), f"{found.ends:%Y-%m-%d}"
            )
        self._files, self._read, self.current, self.fault = wanted, sign, found, None
        return True

    async def run(self, every: float = LOOK_SECONDS) -> None:
        """Follow the files until cancelled."""
        seen = self._read
        while True:
            await asyncio.sleep(every)
            seen = await self.look(seen)

    async def look(self, seen: _Sign) -> _Sign:
        """One look at the files; `seen` is what the last one returned."""
        now = await asyncio.to_thread(_sign, self._files)
        if now == seen != self._read:
            self.reload()
            return self._read
        return now


def _sign(files: Tls) -> _Sign:
    """What tells a file that was written anew; through symbolic links, as certbot keeps them."""

    def of(path: Path) -> tuple[int, int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    return of(files.certificate), of(files.key)
