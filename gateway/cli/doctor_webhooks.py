"""What `doctor` says about webhooks: those whose receivers fail, are gone, or have lost notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.doctor import NOTE, OK, PROBLEM, Report

if TYPE_CHECKING:
    from gateway.config import Config

_TRY = "`gateway webhook test` sends one now and says what comes back"


async def look_at_webhooks(report: Report, config: Config) -> None:
    """Nothing is sent. A store that does not answer is named elsewhere."""
    from gateway.access.delivering import address_digest
    from gateway.access.views import rfc3339
    from gateway.errors import BadSecret, StoreDown
    from gateway.store.client import TERMINAL
    from gateway.store.notices import NoticeQueue
    from gateway.store.opening import open_store

    fresh = not config.data_dir.is_dir()
    if not config.webhooks or (fresh and (config.store == "embedded" or not config.secrets)):
        return  # looking must not make a store, or a secret
    try:
        async with open_store(config, "command", TERMINAL) as links:
            states = await NoticeQueue(links.store, "").states([one.name for one in config.webhooks])
    except (BadSecret, StoreDown):
        return
    for webhook in config.webhooks:
        name, state = f"webhook {webhook.name}", states[webhook.name]
        if state.gone == address_digest(webhook):
            what = "its receiver said that it is gone (410): nothing more is sent to this address"
            report.add(PROBLEM, name, what, f"write its new url, or take it out of config.yaml; {_TRY}")
        elif state.failing_since is not None:
            what = f"has taken nothing since {rfc3339(state.failing_since)} ({state.what}); {state.waiting} wait"
            report.add(PROBLEM, name, what, _TRY)
        elif state.last_success is None:
            report.add(NOTE, name, "has not been sent anything yet", _TRY)
        else:
            report.add(OK, name, f"took a notice at {rfc3339(state.last_success)}; {state.waiting} wait")
        if state.dropped or state.given_up:
            what = f"{state.dropped} notices fell out of a full queue, {state.given_up} were given up after a day"
            report.add(NOTE, name, what)
