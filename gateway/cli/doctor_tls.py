"""What `doctor` says about the gateway's own certificate: the one in the files, and the one that is served."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.cli.command import shown_path
from gateway.cli.doctor import NOTE, OK, PROBLEM, Report

if TYPE_CHECKING:
    from gateway.config import Config

_PATIENCE = 5.0  # seconds


async def look_at_certificate(report: Report, config: Config) -> None:
    """Faults of the files are `check`'s to name; here, what follows from them."""
    from gateway.certificate import load_certificate
    from gateway.errors import BadCertificate

    if config.tls is None:
        return
    served = await _served(config)
    try:
        found = load_certificate(config.tls)
    except BadCertificate:
        if served is not None:
            report.add(NOTE, "certificate", "the running gateway goes on with the pair it read last")
        return
    remarks = found.remarks(config.tls_hosts, datetime.now(UTC))
    for remark in remarks:
        state = NOTE if remark.startswith("expires") else PROBLEM
        report.add(state, "certificate", f"{shown_path(config.tls.certificate)} {remark}", "renew it")
    if not remarks:
        until = f"{found.ends:%Y-%m-%d}"
        report.add(
            OK, "certificate", f"{shown_path(config.tls.certificate)}, for {', '.join(found.names)}, until {until}"
        )
    if served is not None and served != found.fingerprint:
        report.add(
            PROBLEM, "certificate", "the running gateway serves another one than the file holds",
            "it looks every few seconds; if this stays, its log says why (kill -HUP makes it look now)",
        )  # fmt: skip


async def _served(config: Config) -> str | None:
    """The fingerprint of what listens there now; None where nothing does."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(config.listen.host, config.listen.host)  # noqa: S104
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is looked at, not trusted
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host.strip("[]"), config.listen.port, ssl=context)
    except (OSError, TimeoutError):
        return None
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await writer.wait_closed()
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex()
