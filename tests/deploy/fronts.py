"""The real nginx and the real Caddy with the files of deploy/, and a visitor who comes by https.

Only names, ports and paths are put in: what an operator replaces, and on which loopback port to listen instead of
80 and 443. Each text that is replaced must be there, so that the files can't drift away from these tests.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.running import EMAIL, NAME, free_port
from tests.system_parts import need
from tests.wire import Reply, WireClient

DEPLOY = Path(__file__).parents[2] / "deploy"
FORWARD_AUTH = "forward-auth"  # on the guests' own host too
HOSTS = {"own-host": "guest.example.org", "shared-host": "media.example.org"}
MANAGE = "manage.example.org"  # beside the guests' own host, as the files' heads say
HERE = "127.0.0.7"  # where a visitor comes from; the proxies speak to the gateway from 127.0.0.1


@dataclass
class Front:
    """A running front proxy. `port` speaks https, `plain` http."""

    name: str
    host: str
    port: int
    plain: int
    folder: Path
    trust: ssl.SSLContext

    @property
    def origin(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def written(self) -> str:
        """All that the proxy has written down anywhere."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@asynccontextmanager
async def front(
    program: str, arrangement: str, folder: Path, certificate: Path, *, port: int, gateway: int, media: int
) -> AsyncIterator[Front]:
    """`program` is nginx or caddy; `port` is where it speaks https to `certificate`'s names."""
    folder.mkdir()
    running = Front(
        program,
        HOSTS.get(arrangement, HOSTS["own-host"]),
        port,
        free_port(),
        folder,
        ssl.create_default_context(cafile=str(certificate)),
    )
    found = need(program)
    prepare: Callable[[Front, str, Path, int, int], list[str]] = {"nginx": _nginx, "caddy": _caddy}[program]
    words = prepare(running, arrangement, certificate, gateway, media)
    with (folder / "stderr.log").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            str(found), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=stderr, stderr=stderr,
            # Caddy keeps what it remembers below HOME.
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip
    try:
        for _ in range(400):
            if process.returncode is not None:
                raise RuntimeError(running.written)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:  # Caddy waits for whatever is still open
            process.kill()
            await process.wait()


def replaced(text: str, pairs: dict[str, str]) -> str:
    for old, new in pairs.items():
        assert old in text, f"{old!r} is not in the file any more"
        text = text.replace(old, new)
    return text


def _nginx(front: Front, arrangement: str, certificate: Path, gateway: int, media: int) -> list[str]:
    pairs = {
        "listen 80;": f"listen 127.0.0.1:{front.plain};",
        "    listen [::]:80;\n": "",
        "listen 443 ssl": f"listen 127.0.0.1:{front.port} ssl",
        "    listen [::]:443 ssl http2;\n": "",
        f"/etc/letsencrypt/live/{front.host}/fullchain.pem": str(certificate),
        f"/etc/letsencrypt/live/{front.host}/privkey.pem": str(certificate.with_suffix(".key")),
        "/var/log/nginx/": f"{front.folder}/",
        "127.0.0.1:8080": f"127.0.0.1:{gateway}",
    }
    if arrangement != "own-host":
        pairs["127.0.0.1:8096;"] = f"127.0.0.1:{media};"
    else:
        pairs[f"server_name {front.host};"] = f"server_name {front.host} {MANAGE};"
    own = front.folder
    (own / "site.conf").write_text(replaced((DEPLOY / f"nginx-{arrangement}.conf").read_text(), pairs))
    # What Debian's nginx.conf has around such a file, its access log included.
    (own / "nginx.conf").write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 2;
pid {own}/nginx.pid;
error_log {own}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log {own}/access.log;
  gzip on;
  client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;
  include {own}/site.conf;
}}
""")
    return ["-p", str(own), "-c", str(own / "nginx.conf"), "-e", str(own / "error.log")]


def _caddy(front: Front, arrangement: str, certificate: Path, gateway: int, media: int) -> list[str]:
    names = front.host if arrangement != "own-host" else f"{front.host}, {MANAGE}"
    pairs = {
        # The first option of the file's own block; no public name is asked for a certificate here.
        "\n{\n": f"\n{{\n\tadmin off\n\thttp_port {front.plain}\n\thttps_port {front.port}\n\tdefault_bind 127.0.0.1\n",
        f"\n{front.host} {{\n": f"\n{names} {{\n\ttls {certificate} {certificate.with_suffix('.key')}\n",
        "reverse_proxy 127.0.0.1:8080": f"reverse_proxy 127.0.0.1:{gateway}",
    }
    if arrangement == FORWARD_AUTH:
        pairs["forward_auth 127.0.0.1:8080"] = f"forward_auth 127.0.0.1:{gateway}"
    if arrangement != "own-host":
        pairs["reverse_proxy 127.0.0.1:8096"] = f"reverse_proxy 127.0.0.1:{media}"
    place = front.folder / "Caddyfile"
    place.write_text(replaced((DEPLOY / f"Caddyfile.{arrangement}").read_text(), pairs))
    return ["run", "--config", str(place), "--adapter", "caddyfile"]


def make_certificate(folder: Path) -> Path:
    """A certificate for both names that vouches for itself; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in (*HOSTS.values(), MANAGE)]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    place = folder / "certificate.pem"
    place.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    place.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return place


class TlsClient(WireClient):
    """One connection to a front proxy."""

    def __init__(self, front: Front, source: str = HERE) -> None:
        super().__init__(front.port, f"{front.host}:{front.port}")
        self.front, self.source = front, source

    async def __aenter__(self) -> TlsClient:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.front.trust, server_hostname=self.front.host,
            local_addr=(self.source, 0), limit=1 << 20,
        )  # fmt: skip
        return self

    def leave(self) -> None:
        """As a browser that is closed: no waiting for the other side's goodbye."""
        self.writer.transport.abort()


@dataclass
class Visitor:
    """A browser at the front proxy's door; `cookies` are written by the answers, `extra` by the test."""

    front: Front
    cookies: dict[str, str] = field(default_factory=dict)
    extra: str = ""  # header lines that go with every request

    @property
    def session(self) -> str:
        """The header line of what this browser holds."""
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)
        return f"Cookie: {held}\r\n" if held else ""

    async def ask(self, line: str, headers: str = "", body: bytes = b"") -> Reply:
        headers = f"{self.extra}{self.session}{headers}Connection: close\r\n"
        if body:
            headers += f"Content-Length: {len(body)}\r\n"
        async with asyncio.timeout(20), TlsClient(self.front) as client:
            reply = await client.get(line, headers, body)
        for cookie in reply.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return reply

    async def enter(self, link: str) -> Reply:
        """Open the link and post its form."""
        path = link.removeprefix(self.front.origin)
        assert path.startswith("/g/"), link
        page = await self.ask(f"GET {path}", "Accept: text/html\r\n")
        assert page.status == 200, page
        form = page.body.decode().partition('name="form" value="')[2].partition('"')[0]
        return await self.ask(
            f"POST {path}",
            "Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Origin: {self.front.origin}\r\nSec-Fetch-Site: same-origin\r\n",
            urlencode({"name": NAME, "email": EMAIL, "form": form}).encode(),
        )
