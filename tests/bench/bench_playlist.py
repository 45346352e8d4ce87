"""What it costs to write a followed playlist anew: `./gw bench`.

1,200 segments, each judged, sealed and written; the median of many runs, in milliseconds, on this machine.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gateway.config import Origin, ServerConfig
from gateway.links.keys import Keys
from gateway.policy.follow import Place
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target
from gateway.proxy.following import Following, Sealer
from gateway.rewrite.hls import decoded, rewritten
from gateway.rewrite.scrub import CredentialFinder

POLICY = """
server: Bench
item: {id: "[a-z0-9]{3,9}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - request: GET /hls/{id}/film.m3u8
        follow: {as: hls, to: ["/hls/{id}/**"]}
"""
SEGMENTS = 1_200


def following() -> Following:
    policy = load_policy_text(POLICY)
    scope = policy.scope("video", {"id": ("abc",)})
    rule = next(rule for rule in scope.kind.rules if rule.follow)
    home = Origin("http", "127.0.0.1", 8096)
    config = ServerConfig("tv", home, "bench", Path("bench.yaml"), True, Origin("https", "guest.test", 443))
    server = SimpleNamespace(config=config, policy=policy)
    facing: Any = SimpleNamespace(server=server, names=(home,), injected=frozenset(), finder=CredentialFinder(()))
    live: Any = SimpleNamespace(grant=SimpleNamespace(id="A" * 28), scope=scope)
    target = parse_target("/hls/abc/film.m3u8")
    assert isinstance(target, Target)
    sealer = Sealer(Keys.derive([b"a secret of the bench, long enough."]), "/_gateway")
    return Following(sealer, facing, live, rule, Place("", target), sort="hls", depth=0)


def main() -> None:
    answer = following()
    for what, name in (("plain names", "seg{:05}.ts"), ("names with a query", "seg{:05}.ts?t=abc")):
        lines = "".join(f"#EXTINF:4.000,\n{name.format(n)}\n" for n in range(SEGMENTS))
        body = f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}#EXT-X-ENDLIST\n".encode()
        took = []
        for _ in range(100):
            started = time.perf_counter()
            text = "".join(rewritten(decoded(body), answer.address))
            took.append((time.perf_counter() - started) * 1_000)
        assert text.count("/_gateway/s/") == SEGMENTS
        print(f"{SEGMENTS} segments, {what}: {statistics.median(took):.2f} ms (best {min(took):.2f})")


def test_print_what_a_playlist_costs() -> None:
    main()
