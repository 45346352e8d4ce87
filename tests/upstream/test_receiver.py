"""What a receiver of notices can do to us, and where notices never go."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.config import Tls
from gateway.config_texts import is_public
from gateway.upstream.receiver import Receiver, Reply, Trouble
from tests import receivers
from tests.certificates import issue, trusting
from tests.receivers import Wire, good_receiver, wire_receiver
from tests.running import free_port

BODY = b'{"event": "test"}'
HEADERS = {"webhook-id": "msg_1", "Content-Type": "application/json"}

PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"]
_ROWS = (
    "127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 100.64.0.1 169.254.169.254 172.16.0.1 172.31.255.1 192.168.1.1 192.0.0.1",
    "192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255",
    ":: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 ::7f00:1 64:ff9b::8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1",
    "2001:db8::1 2002:7f00:1::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1 ff0e::1 2606:4700::1%eth0",
)
INTERNAL = [one for row in _ROWS for one in row.split()]


def server_context(files: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


def found(*addresses: str) -> Sequence[tuple[int, str]]:
    return [(int(socket.AF_INET6 if ":" in one else socket.AF_INET), one) for one in addresses]


class Names:
    """A name server that says something else each time."""

    def __init__(self, *answers: Sequence[tuple[int, str]]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[tuple[int, str]]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def attempt(url: str, *, internal: bool = True, seconds: float = 20.0) -> Reply:
    return await Receiver(url, allow_internal=internal, total_seconds=seconds).post(HEADERS, BODY)


async def test_a_notice_arrives_as_it_was_sent() -> None:
    async with good_receiver() as receiver:
        reply = await attempt(receiver.url)
        assert (reply.trouble, reply.status) == (None, 204)
        assert receiver.got[0].body == BODY
        assert receiver.got[0].id == "msg_1"
        assert not {"cookie", "accept-encoding", "authorization"} & receiver.got[0].headers.keys()


@pytest.mark.parametrize("status", [100, 101, 300, 304, 400, 401, 404, 410, 429, 500, 503])
async def test_nothing_but_2xx_is_taken_for_success(status: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        # An interim answer, and the connection ends before the real one.
        writer.write(f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with wire_receiver(talk) as port:
        reply = await attempt(f"http://127.0.0.1:{port}/")
    assert reply.trouble is not None
    assert reply.status in (None, status)


@pytest.mark.parametrize(
    "talk",
    [receivers.never_answers, receivers.trickles_its_head, receivers.says_only_continue],
    ids=lambda talk: talk.__name__,
)
async def test_a_receiver_that_takes_its_time_has_none(talk: Wire) -> None:
    async with wire_receiver(talk) as port:
        began = time.monotonic()
        reply = await attempt(f"http://127.0.0.1:{port}/", seconds=1.0)
        assert reply.trouble is Trouble.SLOW or (reply.trouble is Trouble.BROKEN and reply.status is None), reply
        assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "talk",
    [receivers.has_an_endless_header, receivers.has_endless_headers, receivers.hangs_up, receivers.talks_nonsense],
    ids=lambda talk: talk.__name__,
)
async def test_a_head_that_is_none_is_broken_off_early(talk: Wire) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with wire_receiver(talk) as port:
        reply = await attempt(f"http://127.0.0.1:{port}/")
    assert reply.trouble is Trouble.BROKEN, reply
    assert reply.took < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


async def test_of_a_body_without_end_nothing_is_read() -> None:
    async with wire_receiver(receivers.goes_on_without_end) as port:
        reply = await attempt(f"http://127.0.0.1:{port}/")
    assert (reply.trouble, reply.status) == (None, 200)
    assert reply.took < 10


async def test_nobody_there() -> None:
    reply = await attempt(f"http://127.0.0.1:{free_port()}/")
    assert reply.trouble is Trouble.CONNECTION


async def test_a_redirect_is_not_followed() -> None:
    async with good_receiver() as inner, good_receiver(status=307, headers={"Location": inner.url}) as outer:
        reply = await attempt(outer.url)
        assert (reply.trouble, reply.status) == (Trouble.REDIRECT, 307)
        assert not inner.got


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-3", None), ("1e9", None),
     ("9" * 400, None), ("²", None)],
)  # fmt: skip
async def test_how_long_a_receiver_wants_to_be_left_alone(said: str, seconds: float | None) -> None:
    async with good_receiver(status=503, headers={"Retry-After": said}) as receiver:
        reply = await attempt(receiver.url)
    assert reply.retry_after == seconds


# --- where notices go -----------------------------------------------------------------------------


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INTERNAL)
async def test_no_internal_address_in_any_spelling(address: str) -> None:
    assert not is_public(address)
    if "%" not in address:
        literal = f"[{address}]" if ":" in address else address
        reply = await attempt(f"http://{literal}:{free_port()}/", internal=False)
        assert reply.trouble is Trouble.INTERNAL, reply
    names = Names(found(address.partition("%")[0]))
    if not is_public(address.partition("%")[0]):
        receiver = Receiver(f"http://hooks.example.org:{free_port()}/", look_up=names)
        assert (await receiver.post(HEADERS, BODY)).trouble is Trouble.INTERNAL


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "017700000001", "127.0.0.1."])
async def test_odd_spellings_of_this_machine_lead_nowhere(host: str) -> None:
    async with good_receiver() as receiver:
        reply = await attempt(f"http://{host}:{receiver.port}/", internal=False)
        assert reply.trouble in (Trouble.INTERNAL, Trouble.NAME, Trouble.BROKEN), reply
        assert not receiver.got


async def test_a_name_is_judged_anew_at_each_attempt() -> None:
    """The name server says something public when it is looked at, and something internal when it counts."""
    async with good_receiver() as receiver:
        names = Names(found("192.0.2.1"), found("127.0.0.1"))
        client = Receiver(f"http://hooks.example.org:{receiver.port}/", look_up=names, connect_seconds=0.5)
        for _ in range(3):
            assert (await client.post(HEADERS, BODY)).trouble is Trouble.INTERNAL
        assert names.asked == 3
        assert not receiver.got


async def test_an_internal_address_among_public_ones_is_not_tried() -> None:
    async with good_receiver() as receiver:
        names = Names(found("127.0.0.1", "::1", "192.168.0.1"))
        client = Receiver(f"http://hooks.example.org:{receiver.port}/", look_up=names)
        assert (await client.post(HEADERS, BODY)).trouble is Trouble.INTERNAL
        assert not receiver.got


async def test_a_name_that_hangs_holds_up_nobody_else() -> None:
    never = asyncio.Event()

    async def hangs(host: str, port: int) -> Sequence[tuple[int, str]]:
        await never.wait()
        return []

    stuck = Receiver("http://hooks.example.org/", look_up=hangs, connect_seconds=0.5, total_seconds=0.5)
    async with good_receiver() as receiver:
        slow, quick = await asyncio.gather(stuck.post(HEADERS, BODY), attempt(receiver.url))
    assert slow.trouble is Trouble.SLOW
    assert quick.trouble is None


async def test_a_name_that_is_none() -> None:
    for host in ("no-such-name.invalid", f"{'a' * 64}.example"):
        reply = await attempt(f"http://{host}/")
        assert reply.trouble in (Trouble.NAME, Trouble.SLOW, Trouble.BROKEN), reply


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with good_receiver() as proxy, good_receiver() as receiver:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert (await attempt(receiver.url)).trouble is None
        assert not proxy.got


async def test_certificates_are_verified(tmp_path: Path) -> None:
    files = issue(tmp_path / "tls")
    other = issue(tmp_path / "other", hosts=["elsewhere.example.org"])
    async with good_receiver(tls=server_context(files)) as receiver:
        assert (await attempt(receiver.url)).trouble is Trouble.TLS
        good = Receiver(receiver.url, allow_internal=True, trust=trusting(files))
        assert (await good.post(HEADERS, BODY)).trouble is None
        plain = Receiver(receiver.url.replace("https", "http"), allow_internal=True)
        assert (await plain.post(HEADERS, BODY)).trouble in (Trouble.BROKEN, Trouble.STATUS)
    async with good_receiver(tls=server_context(other)) as receiver:
        wrong = Receiver(receiver.url, allow_internal=True, trust=trusting(other))
        reply = await wrong.post(HEADERS, BODY)
        assert reply.trouble is Trouble.TLS
        assert "mismatch" in reply.detail
    async with good_receiver() as receiver:
        assert (await attempt(receiver.url.replace("http", "https"))).trouble is Trouble.TLS


async def test_what_is_said_about_a_failure_holds_no_address() -> None:
    async with good_receiver(status=500) as receiver:
        for reply in (
            await attempt(receiver.url),
            await attempt(receiver.url, internal=False),
            await attempt(receiver.url.replace(str(receiver.port), str(free_port()))),
            await attempt(receiver.url.replace("127.0.0.1", "no-such-name.invalid")),
        ):
            assert "very-private" not in f"{reply} {reply!r}"
