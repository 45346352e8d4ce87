"""config.yaml, read once into frozen values (spec 7).

Rule: whatever runs has passed every check here; nothing asks the file again, and every mistake is
reported at once with its place. The values are passed to constructors; there is no global config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path

from gateway.ceilings import Ceilings
from gateway.colours import Colours
from gateway.yaml_source import Fault

MAIN = "main"  # of several addresses of one server the one that is meant where nothing is said
PORT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: a host and port; port 0 lets the system choose (tests)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a public address. `host` is lower case, without brackets removed."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """As it stands in a Host header: the port only where it is not the scheme's own."""
        usual = {"http": 80, "https": 443}.get(self.scheme)
        return self.host if self.port == usual else f"{self.host}:{self.port}"

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class Manage:
    """The managing origin: its own listener, or (listen None) a host name on the main one."""

    url: Origin
    listen: Listen | None


@dataclass(frozen=True, slots=True)
class Tls:
    """Where the gateway's own certificate and its key lie, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines towards one media server. None of them limits how long a film may run."""

    connect: timedelta = timedelta(seconds=5)
    answer: timedelta = timedelta(seconds=30)  # from the request to the answer's head
    idle: timedelta = timedelta(minutes=10)  # between two pieces of a body


@dataclass(frozen=True, slots=True)
class FooterLink:
    text: str
    url: str  # http, https or mailto


@dataclass(frozen=True, slots=True)
class ThemeColours:
    """`dark` None: derived, or with `scheme: dark` what is written for both."""

    light: Colours
    dark: Colours | None


@dataclass(frozen=True, slots=True)
class Theme:
    """What the files hold has not been looked at."""

    name: str = ""  # shown on the guest pages; empty: the server's name from its policy
    notice: str = ""
    logo: Path | None = None
    logo_alt: str = ""
    folder: Path | None = None
    css: Path | None = None
    scheme: str = "auto"  # or light, dark
    colours: ThemeColours | None = None
    footer: tuple[FooterLink, ...] = ()
    privacy_url: str = ""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One media server behind the gateway."""

    name: str
    upstream: Origin
    policy: str  # as written: a bare name is a shipped policy, a path the operator's own
    policy_path: Path
    guest_access: bool
    public: Origin  # the guests' address of this server; the host decides which server is meant
    also_known_as: tuple[Origin, ...] = ()
    behind: str = "own_host"  # or shared_host, forward_auth
    ceilings: Ceilings = field(default_factory=Ceilings)  # tighter than the policy's
    timeouts: Timeouts = field(default_factory=Timeouts)
    theme: Theme | None = None  # None: the deployment's
    ports: tuple[tuple[str, Origin], ...] = ()  # further addresses of the same server, for rules that say `at`

    @property
    def addresses(self) -> dict[str, Origin]:
        """Where it listens, by what rules say in `at`; "" is the main one."""
        return {"": self.upstream, **dict(self.ports)}

    @property
    def home(self) -> tuple[str, ...]:
        """The origins that are this server, as `Policy.at_home` takes them: where it listens, and under
        which names it writes URLs."""
        origins = (*self.addresses.values(), *self.also_known_as)
        return tuple(f"{origin.scheme}://{origin.host.strip('[]')}:{origin.port}" for origin in origins)


@dataclass(frozen=True, slots=True)
class Manager:
    """Somebody who may manage guest access; used from the managers issue on, checked already."""

    name: str
    password: str | None = field(repr=False)
    token: str | None = field(repr=False)
    may: tuple[str, ...]
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Right:
    """What a group, or a claim with a value, may manage."""

    may: tuple[str, ...]
    group: str | None = None
    claim: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class TrustedHeader:
    """A proxy in front says who somebody is: only these `peers` may."""

    user: str
    groups: str | None
    peers: tuple[str, ...]
    rights: tuple[Right, ...]


@dataclass(frozen=True, slots=True)
class Oidc:
    """An OpenID Connect provider; `name`, `groups` and `ids` are names of claims."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    name: str
    groups: str
    ids: tuple[str, ...]
    rights: tuple[Right, ...]


@dataclass(frozen=True, slots=True)
class SignInConfig:
    """How managers sign in; neither: by the passwords under `managers`."""

    trusted_header: TrustedHeader | None = None
    oidc: Oidc | None = None


class NoticeEvent(Enum):
    """What a webhook can be told of; the value is what config.yaml and payloads say."""

    LINK_OPENED = "link_opened"
    GUEST_ADMITTED = "guest_admitted"
    LINK_USED_UP = "link_used_up"
    LINK_EXPIRES_SOON = "link_expires_soon"
    LINK_DISABLED = "link_disabled"
    ACCESS_DISABLED = "access_disabled"
    SERVER_DISABLED = "server_disabled"
    GUEST_REMOVED = "guest_removed"
    GUEST_ERASED = "guest_erased"
    LINK_DELETED = "link_deleted"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of notices. Its URL is kept out of logs like its secrets: many services put a token into it."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)  # newest first; each signs
    events: frozenset[NoticeEvent] = frozenset(NoticeEvent)
    servers: tuple[str, ...] = ()  # empty: all
    allow_internal: bool = False
    include_guests: bool = False

    def tells_of_guests(self, server: str) -> bool:
        """Whether what guests of this media server have typed goes to it."""
        about = {NoticeEvent.GUEST_ADMITTED, NoticeEvent.GUEST_REMOVED} & self.events
        return self.include_guests and bool(about) and (not self.servers or server in self.servers)


@dataclass(frozen=True, slots=True)
class SessionConfig:
    max_age: timedelta = timedelta(hours=12)
    leave_after: timedelta = timedelta(minutes=15)
    store_grace: timedelta = timedelta(minutes=10)
    cookie: str = "gateway"  # as written; on https the cookie's name is `__Host-` + this
    embed_origins: tuple[Origin, ...] = ()  # who may show guest pages in a frame; only where public_url is https


@dataclass(frozen=True, slots=True)
class Wording:
    """A text of the operator's: one for every language (its tag is then empty), or one for each that is named."""

    texts: tuple[tuple[str, str], ...]

    def said(self, language: str) -> tuple[str, str]:
        """The text for a page in `language`, and the tag of the language it is in: that one, the language it is
        a variety of, English, or else the first written."""
        by_tag = {tag.lower(): (text, tag) for tag, text in self.texts}
        tag = language.lower()
        while tag and tag not in by_tag:
            tag = tag.rpartition("-")[0]
        return by_tag.get(tag) or by_tag.get("en") or next(iter(by_tag.values()))

    @property
    def plain(self) -> str:
        """The one text that does not depend on who looks."""
        return self.said("en")[0]


@dataclass(frozen=True, slots=True)
class FormField:
    """What guests are asked besides name and address."""

    name: str
    label: Wording
    type: str  # text, choice or checkbox
    required: bool = False
    options: tuple[Wording, ...] = ()  # of a choice; what is kept of it is its `plain` text
    most: int = 100  # characters of a text
    help: Wording | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """What guests agree to; `version` is that of the text, and of the notice it leads to."""

    text: Wording
    version: str
    url: Wording | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class GuestForm:
    """What the entry form asks besides name and address."""

    fields: tuple[FormField, ...] = ()
    consent: Consent | None = None

    def named(self, name: str) -> FormField | None:
        return next((field for field in self.fields if field.name == name), None)

    @property
    def room(self) -> int:
        """Bytes that the answers may take in a posted form: four to a character, three letters to a byte."""
        return sum(12 * (one.most if one.type == "text" else 100) + 64 for one in self.fields)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Paths of a guests' host that are the gateway's own. No trailing slash."""

    link: str = "/g"
    own: str = "/_gateway"


@dataclass(frozen=True, slots=True)
class LogConfig:
    format: str = "text"  # or json
    access: float = 1.0  # share of requests that get a line; refusals always do. 0 is off


@dataclass(frozen=True, slots=True)
class Limits:
    """All of them are per process; `connections_per_address` counts those without a live session."""

    form: int = 16_384  # bytes of a posted form
    head: int = 8_190  # bytes of a request line, and of one header
    connections: int = 4_096
    connections_per_address: int = 256
    connections_per_guest: int = 256  # requests and websockets at work at once
    guesses_per_address: int = 60  # unknown links a minute
    wrong_tries_per_link: int = 60  # wrong PINs or addresses an hour, from all sides
    wrong_tries_per_address: int = 20  # the same, from one network address at one link
    paused: timedelta = timedelta(minutes=30)  # how long a guest may take nothing of a stream


@dataclass(frozen=True, slots=True)
class Config:
    """The whole deployment."""

    file: Path
    listen: Listen
    public_url: Origin
    manage: Manage | None
    data_dir: Path
    store: str = field(repr=False)  # "embedded" or a URL (which may hold a password)
    secrets: tuple[bytes, ...] = field(repr=False)  # newest first; empty: made in data_dir
    trusted_proxies: tuple[str, ...] = ()
    tls: Tls | None = None  # None: plain HTTP, a front proxy has the certificate
    admin_listen: Listen | None = None
    servers: tuple[ServerConfig, ...] = ()
    managers: tuple[Manager, ...] = ()
    sign_in: SignInConfig = field(default_factory=SignInConfig)
    retention: timedelta = timedelta(days=90)
    guest_form: GuestForm = field(default_factory=GuestForm)
    session: SessionConfig = field(default_factory=SessionConfig)
    prefixes: Prefixes = field(default_factory=Prefixes)
    theme: Theme = field(default_factory=Theme)
    languages: tuple[str, ...] = ()
    log: LogConfig = field(default_factory=LogConfig)
    limits: Limits = field(default_factory=Limits)
    webhooks: tuple[Webhook, ...] = ()
    warnings: tuple[Fault, ...] = ()  # what is allowed and still unwise; `check` and `serve` say it

    @property
    def tls_hosts(self) -> tuple[str, ...]:
        """The hosts that browsers ask for behind the gateway's own certificate."""
        guests = [server.public.host for server in self.servers] or [self.public_url.host]
        return (*guests, *([self.manage.url.host] if self.manage is not None and self.manage.url.secure else []))
