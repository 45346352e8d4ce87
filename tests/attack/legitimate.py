# ruff: noqa: E501  # requests are read best as they are, many to a line
"""Request lines that look odd and are good: each must arrive, in its one canonical spelling."""

from __future__ import annotations

from tests.attack.policy import A

# What comes -> what is sent, where the two differ: unreserved characters decoded, hex in upper case, no empty query.
RESPELT: dict[str, str] = {
    "/hls/%61bc123/seg1.ts": f"/hls/{A}/seg1.ts",
    f"/hls/{A}/seg%31.ts": f"/hls/{A}/seg1.ts",
    f"/%68ls/{A}/s%65g1%2ets": f"/hls/{A}/seg1.ts",
    f"/any/{A}/a%7Eb%2db%5fc.ts": f"/any/{A}/a~b-b_c.ts",
    f"/any/{A}/caf%c3%a9.ts": f"/any/{A}/caf%C3%A9.ts",
    f"/any/{A}/%e3%83%86.ts": f"/any/{A}/%E3%83%86.ts",
    f"/api/items?%69d={A}": f"/api/items?id={A}",
    "/api/items?id=%61bc123": f"/api/items?id={A}",
    f"/api/items?id={A}&x=%2f%7e": f"/api/items?id={A}&x=%2F~",
    f"/api/items?id={A}&so%72t=n": f"/api/items?id={A}&sort=n",
    f"/live/{A}/index.m3u8?": f"/live/{A}/index.m3u8",
    f"/media/{A}?": f"/media/{A}",
    f"/media/%{ord('a'):02x}bc123": f"/media/{A}",
}

_NAMES = (
    "100%25.ts", "100%25%20sure.ts", "a%20b.ts", "a+b.ts", "a%2Bb.ts", "a,b.ts", "a:b.ts", "a@b.ts", "a=b.ts", "a!b.ts",
    "a$b.ts", "a'b.ts", "a(b).ts", "a*b.ts", "a~b.ts", "a%22b.ts", "a%3Cb%3E.ts", "a%7Cb.ts", "a|b.ts", "a%5Bb%5D.ts",
    "a[b].ts", "a%7Bb%7D.ts", "a^b.ts", "a%60b.ts", "a&b.ts", "a%26b.ts", "a%3Fb.ts", "a%23b.ts", "...a", "..a", ".a", "a.",
    "a.b.", "..hidden", "a..b", "a...b", "a.%20b", "%20a", "a%20", ".%20a", "%20.a", "%20.",
    "%E3%83%86%E3%82%B9%E3%83%88.ts", "%D0%BA%D0%B8%D0%BD%D0%BE.ts", "%D7%A7%D7%95%D7%9C%D7%A0%D7%95%D7%A2.ts",
    "%F0%9F%8E%AC.ts", "%EF%BC%A1%EF%BC%A2.ts", "wait%E2%80%A6.ts", "wait%E2%80%A6", "caf%C3%A9.ts", "cafe%CC%81.ts",
    "%EF%BC%85.ts", "50%25-%2541.ts", "a%E2%80%8Db.ts", "a%C2%BDb.ts", "%25%25.ts", "%2525.ts", "%25", "%25%2520",
    "%EF%BC%9B.ts", "a%EF%BC%9Fb", "a%EF%BC%83b", "%C2%A9%202024.ts", "a%E2%80%93b.ts", "%22quoted%22.ts", "1.0.0-rc.1+x.ts",
    "S01E02%20-%20%5B1080p%5D.mkv", "Pok%C3%A9mon%20%23001.mp4", "What%20If%E2%80%A6%3F.mp4", "%E2%88%9E",
    "%CF%80%E2%89%883.14.ts", "key=value", "a%3Db", "x%C2%A0y", "%E0%A4%B9%E0%A4%BF.ts", "~", "-", "_",
)  # fmt: skip

LEGITIMATE: list[tuple[str, str]] = [
    *((f"GET {came}", f"GET {sent}") for came, sent in RESPELT.items()),
    *(
        (line, line)
        for line in (
            f"GET /media/{A}", f"HEAD /media/{A}", f"GET /hls/{A}/seg1.ts", f"HEAD /hls/{A}/seg1.ts", f"GET /flag/{A}?raw",
            f"GET /pic/{A}/a%20b?size=big", f"GET /pic/{A}/%E3%83%86?size=big",
            f"GET /hls/{A}/SEG_001-x.ts", *(f"GET /seg/{A}-{n}.ts" for n in (0, 1, 42, 999999999)),
            *(f"GET /any/{A}/{name}" for name in _NAMES),
            f"GET /deep/{A}/a/b/c.ts", f"GET /deep/{A}/a/b%20c/100%25.ts", f"GET /deep/{A}/..a/...b/c..d/e", f"GET /deep/{A}/a",
            f"GET /deep/{A}/" + "a/" * 300 + "b", f"GET /any/{A}/" + "a" * 4_000, f"GET /any/{A}/" + "%E3%83%86" * 300,
            f"GET /api/items?id={A}", f"GET /api/items?id={A}&sort=name", f"GET /api/items?sort=name&id={A}",
            f"GET /api/items?id={A}&sort=a&sort=b&flag", f"GET /api/items?id={A}&u=http://h/a/../b",
            f"GET /api/items?id={A}&u=%2Fa%2F..%2Fb", f"GET /api/items?id={A}&q=a%20b+c%2Bd", f"GET /api/items?id={A}&q=50%25",
            f"GET /api/items?id={A}&empty=", f"GET /api/items?id={A}&q=%E3%83%86&r=a,b,c", f"GET /api/items?id={A}&q=id",
            f"GET /api/items?id={A}&q=idea%3D1", f"GET /api/items?id={A}&q=a%26b", f"GET /api/items?id={A}&u=http://h/?page=2",
            f"GET /api/items?id={A}&q=%25ff", f"GET /api/items?id={A}&q=id%26x=1", f"GET /api/items?id={A}&q=%25C3%2525A9", f"GET /api/items?id={A}&q=..", f"GET /api/items?id={A}&method=fast&the_method=1&amethod=2&u=http://h/?method=x", f"GET /api/items?id={A}&q=%5C", f"GET /api/items?id={A}&q=./../x",
            f"GET /api/items?id={A}&a_b=1&a.b=2&a-b=3", f"GET /api/items?id={A}&ids=x&idx=1&aid=2", f"GET /api/items?id={A}&q==",
            f"GET /api/items?id={A}&" + "&".join(f"k{n}=1" for n in range(250)), f"GET /api/items?id={A}&q=" + "x" * 3_000,
            f"GET /api/one?id={A}", f"GET /api/one?id={A}&sort=", f"GET /api/one?id={A}&sort=a%26b%3Dc", f"GET /api/one?sort&id={A}",
            f"GET /live/{A}/index.m3u8", f"GET /live/{A}/index.m3u8?_HLS_msn=5", f"GET /live/{A}/index.m3u8?_HLS_msn=5&_HLS_part=0",
            f"GET /live/{A}/index.m3u8?_HLS_part=0&_HLS_msn=5", f"POST /api/play/{A}",
        )
    ),
]  # fmt: skip
