"""Counters in the format that Prometheus scrapes. One `Metrics` per process, passed to whom it concerns.

Rule: no label ever holds what a guest wrote, a name, an address, an id or a path; label values come
from closed lists, so that their number can't grow. What is counted on each request is a child that was
looked up once.

With several workers the environment variable PROMETHEUS_MULTIPROC_DIR (set before this module is
imported) makes each process keep its numbers in a file there; whoever is asked adds them all up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.reasons import Reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SERVED = "served"

_SECONDS = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0)


class Metrics:
    """All counters of one process."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        requests = Counter(
            "gateway_requests", "Requests by outcome: served, or why not", ["outcome"], registry=registry
        )
        self._served = requests.labels(SERVED)
        self._refused = {reason: requests.labels(str(reason)) for reason in Reason}
        self._bytes = Counter("gateway_guest_bytes", "Bytes of answers sent on to guests", registry=registry)
        self._streams = _gauge("gateway_open_streams", "Answers being sent on at this moment", registry)
        self._websockets = _gauge("gateway_open_websockets", "Websockets open at this moment", registry)
        self._cut = Counter("gateway_cut", "Streams and websockets ended because their grant ended", registry=registry)
        self._dropped = Counter(
            "gateway_dropped_messages", "Websocket messages of guests that no rule let through", registry=registry
        )
        self._broken = Counter("gateway_broken_answers", "Answers the media server broke off", registry=registry)
        self._wait = Histogram(
            "gateway_upstream_seconds",
            "From a request to the head of the media server's answer",
            buckets=_SECONDS,
            registry=registry,
        )
        failures = Counter("gateway_upstream_failures", "Failed requests to media servers", ["kind"], registry=registry)
        self._upstream_failures = {kind: failures.labels(kind) for kind in ("down", "slow", "other")}
        admissions = Counter("gateway_admissions", "Posted entry forms by result", ["result"], registry=registry)
        self._admissions = {result: admissions.labels(result) for result in ("admitted", "returned", "refused")}
        self._store_failures = Counter(
            "gateway_store_failures", "Requests refused because the store did not answer", registry=registry
        )
        # Names of webhooks are the operator's own, and as few as they are.
        self._notices = Counter(
            "gateway_webhook_notices",
            "Notices by webhook and what became of an attempt: sent, retry, given_up, gone, or dropped unsent",
            ["webhook", "result"],
            registry=registry,
        )
        self._waiting = Gauge(
            "gateway_webhook_waiting",
            "Notices that wait, of the gateway that sends them",
            ["webhook"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._lost_lines = Counter(
            "gateway_lost_log_lines", "Access log lines that could not be written", registry=registry
        )

    def request(self, reason: Reason | None) -> None:
        """One request was answered; `reason`: why it was refused, None when it was served."""
        child = self._served if reason is None else self._refused[reason]
        child.inc()
        if reason is Reason.STORE_DOWN:
            self._store_failures.inc()

    def sent(self, size: int) -> None:
        self._bytes.inc(size)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """An answer is being sent on inside."""
        self._streams.inc()
        try:
            yield
        finally:
            self._streams.dec()

    @contextmanager
    def websocket(self) -> Iterator[None]:
        """A websocket is open inside."""
        self._websockets.inc()
        try:
            yield
        finally:
            self._websockets.dec()

    def cut(self) -> None:
        self._cut.inc()

    def message_dropped(self) -> None:
        self._dropped.inc()

    def broken(self) -> None:
        self._broken.inc()

    def upstream_answered(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def upstream_failed(self, kind: str) -> None:
        """`kind`: down, slow or other."""
        self._upstream_failures[kind].inc()

    def admission(self, result: str) -> None:
        """`result`: admitted (a click was used), returned (recognised, none was) or refused."""
        self._admissions[result].inc()

    def lost_lines(self, count: int) -> None:
        self._lost_lines.inc(count)

    def webhook(self, name: str, result: str, waiting: int) -> None:
        """An attempt is over; `result` is what `NoticeQueue.settle` calls it."""
        self._notices.labels(name, result).inc()
        self.webhook_waiting(name, waiting)

    def webhook_dropped(self, name: str, count: int) -> None:
        self._notices.labels(name, "dropped").inc(count)

    def webhook_waiting(self, name: str, waiting: int) -> None:
        self._waiting.labels(name).set(waiting)

    def text(self) -> bytes:
        """What a scrape gets; with several workers, of all of them."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # the library has no types here
        return generate_latest(everybody)


def _gauge(name: str, what: str, registry: CollectorRegistry) -> Gauge:
    # The numbers of processes that are gone no longer count.
    return Gauge(name, what, registry=registry, multiprocess_mode="livesum")
