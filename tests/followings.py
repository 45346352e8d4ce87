"""How an answer of a policy is followed, without a gateway around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gateway.access.servers import MediaServer
from gateway.config import Origin, ServerConfig
from gateway.links.keys import Keys
from gateway.policy.follow import Place
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target
from gateway.proxy.facing import Facing
from gateway.proxy.following import Following, Sealer
from gateway.web.embedding import Embedding

if TYPE_CHECKING:
    from gateway.rewrite.numbers import Template

KEYS = Keys.derive([b"a secret of the tests, long enough."])
GRANT = "A" * 28


def following(policy_text: str, path: str, *, sort: str = "hls", depth: int = 0, item: str = "abc") -> Following:
    """That of the first rule which is followed, for the answer to `path`."""
    policy = load_policy_text(policy_text)
    scope = policy.scope("video", {"id": (item,)})
    rule = next(rule for rule in scope.kind.rules if rule.follow)
    home = Origin("http", "127.0.0.1", 8096)
    config = ServerConfig("tv", home, "test", Path("test.yaml"), True, Origin("https", "guest.test", 443))
    upstream: Any = None  # nothing is asked for
    facing = Facing.of(MediaServer(config, policy, upstream), Embedding())
    live: Any = SimpleNamespace(grant=SimpleNamespace(id=GRANT), scope=scope)
    target = parse_target(path)
    assert isinstance(target, Target)
    return Following(Sealer(KEYS, "/_gateway"), facing, live, rule, Place("", target), sort=sort, depth=depth)


class Told:
    """Answers of a test in place of a policy's."""

    def __init__(self, address: Callable[[str, str], str | None]) -> None:
        self.address = address

    def files(self, texts: Sequence[str]) -> list[str | None]:
        return [self.address(text, "file") for text in texts]

    def template(self, template: Template) -> str | None:
        return self.address(str(template), "template")

    def redirect(self, location: str) -> str | None:
        return self.address(location, "again")
