"""What it costs to write a followed playlist anew: `./gw bench`.

1,200 segments, each judged, sealed and written; the median of many runs, in milliseconds, on this machine.
"""

from __future__ import annotations

import statistics
import time

from gateway.rewrite.hls import decoded, rewritten
from tests.followings import following

POLICY = """
server: Bench
item: {id: "[a-z0-9]{3,9}"}
patterns: {segment: "seg[0-9]{5}[.]ts"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /open/{id}/{segment}
      - request: GET /FOLDER/{id}/film.m3u8
        follow: {as: hls, to: ["/FOLDER/{id}/**"]}
"""
SEGMENTS = 1_200


def main() -> None:
    for what, name, folder in (
        ("plain names", "seg{:05}.ts", "hls"),
        ("names with a query", "seg{:05}.ts?t=abc", "hls"),
        ("each with a query of its own", "seg{0:05}.ts?t={0}", "hls"),
        ("names that a rule allows", "seg{:05}.ts", "open"),
    ):
        answer = following(POLICY.replace("FOLDER", folder), f"/{folder}/abc/film.m3u8")
        lines = "".join(f"#EXTINF:4.000,\n{name.format(n)}\n" for n in range(SEGMENTS))
        body = f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}#EXT-X-ENDLIST\n".encode()
        took = []
        for _ in range(100):
            started = time.perf_counter()
            text = "".join(rewritten(decoded(body), answer))
            took.append((time.perf_counter() - started) * 1_000)
        assert text.count("/_gateway/s/") == (SEGMENTS if folder == "hls" else 0)
        assert text.count("#EXTINF") == SEGMENTS
        print(f"{SEGMENTS} segments, {what}: {statistics.median(took):.2f} ms (best {min(took):.2f})")


def test_print_what_a_playlist_costs() -> None:
    main()
