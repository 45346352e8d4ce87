"""The texts config.yaml is made of, each read by one function: durations, sizes, addresses, secrets.

Rule: a function takes what YAML made of the text and gives the value, or raises ValueError with a
sentence that says what would be right. A secret's text never stands in such a sentence.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from gateway import files
from gateway.config import Listen, Origin

MIN_SECRET = 32  # bytes
_MAX_SECRET_FILE = 65_536

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_SIZE = re.compile(r"(\d{1,12})\s?(|B|kB|KB|KiB|MB|MiB)")
_SIZES = {"": 1, "B": 1, "kB": 1_000, "KB": 1_000, "KiB": 1_024, "MB": 1_000_000, "MiB": 1_048_576}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_CSP_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_PHC = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}")
_TOKEN = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")

STORE_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")


def kind_of(value: Any) -> str:
    """What YAML made of a value, for people who do not know its types."""
    if isinstance(value, bool):
        return "a truth value (true, false, yes, no, on, off)"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "a date" if hasattr(value, "year") else "empty"


def text(value: Any) -> str:
    """A text with something in it."""
    if not isinstance(value, str):
        hint = "" if isinstance(value, (dict, list)) or value is None else "; write it in quotes"
        raise ValueError(f"must be text, not {kind_of(value)}{hint}")
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def free_text(value: Any) -> str:
    """A text that may be empty (theme.notice)."""
    return "" if value == "" else text(value)


def file_name(value: Any) -> str:
    """The path of a file; `file:` may stand before it, as it does with secrets."""
    named = text(value).removeprefix("file:").strip()
    if not named:
        raise ValueError("must name a file")
    if "\0" in named or "-----BEGIN" in named:
        raise ValueError("must name a file, not hold what is in it")
    return named


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def whole(value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return value


def choice(value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"must be {' or '.join(known)}")
    return str(value)


def duration(value: Any) -> timedelta:
    """`12h`, `15m`, `90s`, `7d`, `1h30m`; a number alone is seconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**9:
        return timedelta(seconds=value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError("must be a duration such as 90s, 15m, 12h, 7d or 1h30m (a number alone is seconds)")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def duration_between(value: Any, least: timedelta, most: timedelta) -> timedelta:
    found = duration(value)
    if not least <= found <= most:
        raise ValueError(f"must be from {show_duration(least)} to {show_duration(most)}")
    return found


def show_duration(value: timedelta) -> str:
    """The shortest spelling that `duration` reads back."""
    left = int(value.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def size(value: Any, least: int, most: int) -> int:
    """Bytes: 16384, `16KiB`, `1MB`."""
    found = -1
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        found = int(match.group(1)) * _SIZES[match.group(2)]
    if not least <= found <= most:
        raise ValueError(f"must be a size such as 16KiB, from {least} to {most} bytes")
    return found


def share(value: Any) -> float:
    """A part of the whole, 0 to 1; also `all` and `off` (which YAML reads as a truth value)."""
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if value in ("all", "off"):
        return 1.0 if value == "all" else 0.0
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError("must be all, off, or a share from 0 to 1 such as 0.1")
    return float(value)


def listen(value: Any) -> Listen:
    """`127.0.0.1:8080`, `[::1]:8080`, `localhost:0`."""
    what = "must be an address and a port, such as 127.0.0.1:8080 or [::]:8080"
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(what)
    host, colon, port = text(value).strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(what)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ip(host, 6):
            raise ValueError(what)
    elif not _is_ip(host, 4) and not is_host_name(host.lower()):
        raise ValueError(what)
    return Listen(host.lower(), int(port))


def origin(value: Any, example: str = "https://guest.example.org") -> Origin:
    """`https://guest.example.org`, with a port where it is not the usual one; nothing behind it."""
    parts = _split(text(value).strip(), example)
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment or value.rstrip()[-1] in "?#":
        raise ValueError(f"must be scheme, host and port alone, such as {example}, without a path")
    name, port = host_and_port(parts.netloc)
    return Origin(parts.scheme, name, port if port is not None else (443 if parts.scheme == "https" else 80))


def embed_origin(value: Any) -> Origin:
    """An origin that may frame guest pages. It is written into a content policy, whose hosts have no other
    spelling than these: no IPv6 address, no `_`, no dot at the end, and a wildcard would be anybody's subdomain."""
    if isinstance(value, str) and "*" in value:
        raise ValueError("must name one origin, such as https://lms.example.edu; there are no wildcards")
    found = origin(value)
    if not _CSP_HOST.fullmatch(found.host):
        raise ValueError("the host must be a name of letters, digits, - and dots, such as lms.example.edu")
    if not found.secure and not is_loopback(found.host):
        raise ValueError("must begin with https:// (http:// is for this machine alone)")
    return found


def host_and_port(value: str) -> tuple[str, int | None]:
    """Of `tv.example.org`, `127.0.0.1:8080`, `[::1]:8080`; a v6 address keeps its brackets."""
    host, port = value.lower(), ""
    if not host.endswith("]") and ":" in host:
        host, _, port = host.rpartition(":")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65_535:
            raise ValueError("the port must be a number from 1 to 65535")
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else None
    if inner is not None and _is_ip(inner, 6):
        return f"[{ipaddress.IPv6Address(inner)}]", int(port) if port else None
    if not host.isascii():
        raise ValueError("the host must be written in ASCII (as xn--…)")
    if inner is not None or not (_is_ip(host, 4) or is_host_name(host)):
        raise ValueError("the host must be a name such as tv.example.org, or an IP address (v6 in [])")
    return host, int(port) if port else None


def public_host(value: Any) -> tuple[str, int | None]:
    if isinstance(value, str) and ("/" in value or "*" in value):
        raise ValueError("must be a host name alone, such as tv.example.org")
    return host_and_port(text(value).strip())


def is_host_name(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    # A last label of digits would be read as an IPv4 address by browsers.
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# What is called global and leads to an address that stands inside: Teredo and 6to4. NAT64, and IPv4 addresses
# written as IPv6 ones, lie outside 2000::/3.
_DETOURS_4 = (ipaddress.IPv4Network("192.88.99.0/24"),)
_DETOURS_6 = (ipaddress.IPv6Network("2001::/23"), ipaddress.IPv6Network("2002::/16"))


def is_ip(host: str) -> bool:
    return _is_ip(host.strip("[]"), 4) or _is_ip(host.strip("[]"), 6)


def is_public(host: str) -> bool:
    """Whether an address is one of the public Internet: neither of this machine, a private network, a provider's
    inside nor a group, and no other spelling of such a one (IPv4 inside IPv6 in all its forms)."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in detour for detour in _DETOURS_4)
    plain = int(address) >> 125 == 1 and address.scope_id is None
    return plain and not any(address in detour for detour in _DETOURS_6)


def network(value: Any) -> str:
    """An address or a network of a proxy, in its usual spelling."""
    written = text(value).strip()
    try:
        if "/" not in written:
            return str(ipaddress.ip_address(written))
        return str(ipaddress.ip_network(written))
    except ValueError:
        pass
    try:
        wide = ipaddress.ip_network(written, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/8, not a name") from None
    raise ValueError(f"has bits behind its mask; write {wide} or one address")


def store_url(value: str) -> str:
    """`embedded`, or the URL of a Redis or Valkey. The URL may hold a password: never shown."""
    if value == "embedded":
        return value
    schemes = ", ".join(f"{scheme}://" for scheme in STORE_SCHEMES)
    if "#" in value:
        raise ValueError("is cut short by a # (in a password it is written as %23)")
    try:
        parts = urlsplit(value)
        port = parts.port if "," not in parts.netloc else 1
    except ValueError:
        raise ValueError("is no URL (an odd character in a password is written as %XX)") from None
    if parts.scheme not in STORE_SCHEMES or not value.startswith(f"{parts.scheme}://"):
        raise ValueError(f"must be embedded or begin with {schemes}")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ValueError("must name a socket, such as unix:///run/valkey.sock")
    elif not parts.hostname or port == 0:
        raise ValueError(f"must name a host, such as {parts.scheme}://127.0.0.1:6379")
    if parts.scheme == "redis+sentinel" and not parts.path.strip("/"):
        raise ValueError("must name the service, such as redis+sentinel://127.0.0.1:26379/mymaster")
    return value


def prefix(value: Any) -> str:
    """A path of the gateway's own: `/g`, `/_gateway`."""
    written = text(value)
    segments = written.split("/")[1:]
    if not written.startswith("/") or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("must be a path such as /g: letters, digits, . _ ~ - and no slash at the end")
    return written


def password_hash(value: str) -> str:
    match = _PHC.fullmatch(value)
    if match is None:
        raise ValueError("must be a hash that begins with $argon2id$v=19$ (`gateway password` makes one)")
    memory, times, _ = (int(number) for number in match.groups())
    # OWASP's least: 19 MiB and two passes, or 46 MiB and one. Above 1 GiB a sign-in would be an attack.
    if memory * times < 38_912 or memory < 7_168 or memory > 1_048_576 or times > 20:
        raise ValueError("is too weak or too costly a hash (`gateway password` makes one with 64 MiB and 3 passes)")
    return value


def token_hash(value: str) -> str:
    match = _TOKEN.fullmatch(value)
    if match is None:
        raise ValueError("must be sha256: and 64 hex digits (`gateway token create` makes one), not the token itself")
    return f"sha256:{match.group(1).lower()}"


def secret_text(value: Any, base: Path) -> str:
    """A secret: the text itself, or `file:PATH` relative to config.yaml. Refuses a file others can read."""
    if not isinstance(value, str):
        raise ValueError(f"must be text or file:PATH, not {kind_of(value)}")
    if not value.startswith("file:"):
        return value
    named = value.removeprefix("file:").strip()
    if not named:
        raise ValueError("must name a file, such as file:secrets/gateway.key")
    path = base / named
    try:
        mode, content = files.mode(path), files.content(path)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
    if mode & 0o007:
        raise ValueError(f"{path} can be read by everybody (mode {mode:04o}): chmod 600 {path}")
    if len(content) > _MAX_SECRET_FILE:
        raise ValueError(f"{path} is larger than {_MAX_SECRET_FILE} bytes")
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text (`gateway secret` prints a suitable one)") from None


def key(value: Any, base: Path) -> bytes:
    """One of `secrets:`; at least 32 bytes."""
    found = secret_text(value, base).encode()
    if len(found) < MIN_SECRET:
        where = f"{base / value[5:].strip()} holds" if str(value).startswith("file:") else "has"
        raise ValueError(f"{where} {len(found)} bytes, at least {MIN_SECRET} are needed (`gateway secret` makes one)")
    return found


def _split(value: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError(f"must be a URL such as {example}") from None
    if any(letter <= " " or letter == "\\" for letter in value) or not parts.netloc:
        raise ValueError(f"must be a URL such as {example}")
    return parts


def _is_ip(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version and "%" not in host
    except ValueError:
        return False
