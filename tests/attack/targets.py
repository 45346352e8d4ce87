# ruff: noqa: E501  # requests are read best as they are, many to a line
"""Hostile request targets by class. What is refused for being read in two ways is a 400, what is clear and simply
not the guest's a 403: the status tells the checks apart, so that one of them can't be lost behind another."""

from __future__ import annotations

from collections.abc import Iterable

from tests.attack.policy import A, B

# Whichever rule a trick hides under: one that names files, one that takes a segment, one that takes any depth.
_DOTS_IN = (
    f"/hls/{A}/{{}}/{B}/seg1.ts",
    f"/deep/{A}/{{0}}/{{0}}/hls/{B}/seg1.ts",
    f"/any/{A}/{{}}",
    f"/deep/{A}/x/{{}}",
)
_SLASH_IN = (f"/any/{A}/..{{0}}{B}", f"/hls/{A}{{0}}..{{0}}{B}/seg1.ts", f"/deep/{A}/a{{}}b", f"/any/{A}/{{}}")
_NAME_IN = (f"/any/{A}/a{{}}b.ts", f"/deep/{A}/x/{{}}", f"/api/items?id={A}&x={{}}")


def _get(tricks: Iterable[str], places: Iterable[str]) -> list[str]:
    return [f"GET {place.format(trick)}" for place in places for trick in tricks]


AMBIGUOUS: dict[str, list[str]] = {
    "dot segments, plain": [
        *_get(("..", ".", "../..", "./..", ".../.."), _DOTS_IN),
        f"GET /../hls/{B}/seg1.ts", f"GET /./hls/{A}/seg1.ts", f"GET /hls/{A}/..?x", f"GET /hls/{A}../{B}/seg1.ts",
        f"GET /deep/{A}/x../y", f"HEAD /deep/{A}/../{B}/x", f"GET /any/{A}/...", f"GET /deep/{A}/a/....",
    ],
    "dot segments, encoded": _get(
        ("%2e%2e", "%2E%2E", ".%2e", "%2e.", "%2e", "%2E/%2e%2e", "x%2e%2e", "%2e%2e%2e"), _DOTS_IN
    ),
    "dot segments, encoded again": _get(
        (
            "%252e%252e", "%252E.", ".%252e", "%252e", "%25252e%25252e", "%2525252e.", "%25%32%65%25%32%65", "%25%32e.",
            "%2%352e.", "x%252e%252e", "%25252525252e.",
        ),
        _DOTS_IN,
    ),
    "dot segments, overlong": _get(
        (
            "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae.", "%c0%2e%c0%2e", "%c0%ae.", "%25c0%25ae.",
            "%25c0%25ae%25c0%25ae", "%fe%80%80%80%80%ae.",
        ),
        _DOTS_IN,
    ),
    "trailing dots and white space": _get(
        (
            "..%20", "..%20%20", "%20..", "..%C2%A0", "..%E3%80%80", "..%E2%80%83", "%2e%2e%20", ".%20", "x..", "x..%20",
            "..%2520", "x%2e.%20", "..%25C2%25A0", ".%2520", "..%E2%80%A8",
            "x..%2520", "x%252e.%2520",
        ),
        _DOTS_IN,
    ),
    "encoded slashes": _get(
        ("%2f", "%2F", "%252f", "%252F", "%25252f", "%25%32%66", "%2%35%32f", "%c0%af", "%e0%80%af", "%25c0%25af"),
        _SLASH_IN,
    ),
    "backslashes": _get(
        ("\\", "%5c", "%5C", "%255c", "%25255C", "%25%35%63", "%c1%9c", "%25c1%259c", "\\\\", "/\\"), _SLASH_IN
    ),
    "empty segments": [
        f"GET //hls/{A}/seg1.ts", f"GET /hls//{A}/seg1.ts", f"GET /hls/{A}//seg1.ts", f"GET /deep/{A}//x",
        f"GET /deep/{A}/x//y", f"GET /deep/{A}///../{B}/x", f"GET //{B}", "GET //", f"GET /deep/{A}/x//",
        f"GET //127.0.0.1/hls/{A}/seg1.ts", f"GET ///deep/{A}/x", f"GET /deep//{A}/x",
    ],
    "path parameters": _get(
        (
            "..;", "..;x=1", ".;", ";", "x;y", ";x=1", "%3b", "%3B", "..%3b", "..%253b", "..%253Bx", "x%253by",
            "..%25253b", "%25%33%62", "..%EF%BC%9B", "..%EF%BC%9Bx", "%2e%2e;x", ".;x",
        ),
        _DOTS_IN,
    ),
    "unicode folding": _get(
        (
            "%EF%BC%8E%EF%BC%8E", "%E2%80%A5", "%E2%80%A4%E2%80%A4", "%EF%BC%852e%EF%BC%852e", ".%EF%BC%8E", "%EF%B9%92.",
            "%EF%B8%B0", "%E2%80%A4", "%EF%BC%8E%20", "%25EF%25BC%258E.", "%EF%BC%8E%EF%BC%8E%EF%BC%9Bx",
            "%EF%BC%85%EF%BC%92%EF%BC%A5.", "%20.%EF%BC%8E", "%20%E2%80%A5", "%C2%A0%EF%BC%8E%EF%BC%8E%20",
        ),
        _DOTS_IN,
    )
    + _get(("%EF%BC%8F", "%EF%BC%BC", "%25EF%25BC%258F", "%EF%BC%852f", "%EF%B9%A8", "%E2%84%80"), _SLASH_IN),
    "NUL and controls": _get(
        (
            "%00", "%0d%0aX:1", "%0a", "%0D", "%09", "%7f", "%1b", "%01", "%1F", "%C2%80", "%C2%85", "%C2%9f",
        ),
        _NAME_IN,
    )
    + _get(
        ("%2500", "%250d%250a", "%2509", "%257f", "%25C2%2585", "%252500", "%25%30%30", "%EF%BC%8500"), _NAME_IN[:2]
    )
    + [f"GET /any/{A}/seg1.ts%00.jpg", f"GET /hls/{B}%00/{A}/seg1.ts", f"GET /hls/{A}%00/../{B}/seg1.ts"],
    "bad escapes": _get(
        (
            "%", "%2g", "%zz", "%%", "%u0041", "%u002e", "%ff", "%c3", "%ed%a0%80", "%ed%b2%80%ed%b0%80", "%f4%90%80%80",
            "%e3%81", "%80", "%c3%28", "%-1", "%+1", "%0x", "%1", "%G0",
        ),
        _NAME_IN,
    )
    + _get(("%25ff", "%25c3", "%2525ff", "%25C3%2525A9", "%25ed%25a0%2580", "%C3%25A9%25C3"), _NAME_IN[:2]),
    "bytes that are not ASCII": _get(
        ("\xc3\xa9", "\xff", "\xc0\xae\xc0\xae", "\x80", "\xe2\x80\xa5", "\xa0", "\xef\xbc\x8f"), _NAME_IN
    ),
    "fragments": [
        f"GET {target}"
        for target in (
            f"/any/{A}/x#y", f"/hls/{A}/seg1.ts#/../{B}", f"/deep/{A}/#", f"/api/items?id={A}#", f"/api/items?id={A}#&id={B}",
            f"/#/hls/{A}/seg1.ts", f"/api/items#?id={A}", f"/deep/{A}/x#/../../hls/{B}/seg1.ts", f"/media/{A}#frag",
            f"/api/items?id={A}&x=#y", f"/any/{A}/#%2e%2e",
        )
    ],
    "absolute form": [
        f"GET {target}"
        for target in (
            f"http://127.0.0.1/hls/{A}/seg1.ts", f"http://127.0.0.1/hls/{B}/seg1.ts", f"HTTP://127.0.0.1/hls/{A}/seg1.ts",
            f"http://{{host}}/hls/{A}/seg1.ts", f"https://{{host}}/hls/{A}/seg1.ts", f"http:///hls/{A}/seg1.ts",
            f"http:/hls/{A}/seg1.ts", f"http:hls/{A}/seg1.ts", f"ftp://127.0.0.1/hls/{A}/seg1.ts", "http://127.0.0.1",
            f"http://u:p@{{host}}/hls/{A}/seg1.ts", f"ws://{{host}}/ws/{A}", "file:///etc/passwd", "http://{other}/admin",
            f"http://{{host}}/../hls/{A}/seg1.ts", f"http://evil.example/media/{A}", "unix:/run/x.sock|http://x/",
        )
    ],
    "authority, asterisk and no form": [
        "GET 127.0.0.1:80", "GET *", "OPTIONS *", "GET {host}", f"GET hls/{A}/seg1.ts", "GET @evil.example/", "GET :80/",
        f"GET .{A}", f"GET ?id={A}", "GET #x", "GET ..", f"GET %2fhls/{A}/seg1.ts", f"GET \\hls\\{A}\\seg1.ts", "GET x",
        f"GET api/items?id={A}", f"GET ;/hls/{A}/seg1.ts", "HEAD *", "POST 127.0.0.1:80",
    ],
    "SSRF forms": [
        f"GET {target}"
        for target in (
            "@{other}/admin", ":@{other}/admin", "//{other}/admin", "/\\{other}/admin", "\\\\{other}\\admin", "///{other}/",
            "http:\\\\{other}/", "http://{other}@{host}/", "http://{host}@{other}/", "/%2f{other}/", "/%5c{other}/x",
            "/%09/{other}/", f"/any/{A}/@{{other}}%2f..", f"/any/{A}/http:%2f%2f{{other}}%2fadmin",
            f"/deep/{A}/http://{{other}}/admin", f"/deep/{A}/..//{{other}}/", f"/any/{A}/%0d%0aHost:%20{{other}}",
            f"/any/{A}/x%20HTTP/1.1%0d%0aHost:%20{{other}}%0d%0a%0d%0a", "unix:///tmp/x", "gopher://{other}/_x",
            "http://[::ffff:127.0.0.1]/", "http://0x7f000001/", "http://2130706433/", "http://127.1/", "//0/admin",
        )
    ],
    "semicolons in the query": [
        f"GET /api/items?{query}"
        for query in (f"id={A};id={B}", f"id={A}&x=1;id={B}", f";id={A}", f"id={A};", f"id={A}&x;y", f"id={A}&a=;", ";")
    ],
    "names hidden in values": [
        f"GET /api/items?id={A}&{query}"
        for query in (
            f"x=1%26id%3D{B}", f"x=1%2526id%253D{B}", f"x=1%252526id%25253D{B}", f"x=%3Bid%3D{B}", f"x=http://h/?id={B}",
            f"x=a?id={B}", f"x=%26id={B}", f"x=id%3D{B}", f"x=%3Fid%3D{B}", f"x=%23id%3D{B}", f"x=a%26ID%3D{B}",
            f"x=a%26i_d%3D{B}", f"x=a%26id%5B%5D%3D{B}", f"x=%2526Id%253D{B}", f"x=a%26%2569d%3D{B}", f"x=1%26%20id%3D{B}",
            f"x=1%26%2Bid%3D{B}", "x=1%26id", f"x=1%253Bid%253D{B}", f"x=%EF%BC%A9d=1%26%EF%BD%89d%3D{B}", f"x==&y=id={B}",
            f"x=%25ff%2526id%253D{B}", f"x=%25C3%2526id%253D{B}", f"x=%2525C3%2525A9%2526id%253D{B}", f"x=%25ff%26id={B}",
            "x=a?id", "x=a%23id", "x=a%3Bid", "x=a%26id", "x=a%2526id", f"x=a%26i.d%3D{B}", f"x=a%26i-d%3D{B}", f"x=_HLS_msn=5%26hlsmsn%3D{B}", f"x=a%25%32%36id%3D{B}",
        )
    ]
    + [f"GET /api/one?id={A}&sort={value}" for value in (f"a%26id={B}", f"id={B}", f"?id={B}", f"a%2526id%253D{B}")],
    "method override in the query": [
        f"GET {target}"
        for target in (
            f"/media/{A}?_method=DELETE", f"/api/items?id={A}&_method=DELETE", f"/api/items?id={A}&_METHOD=PUT",
            f"/api/items?id={A}&%5Fmethod=DELETE", f"/api/items?id={A}&_%6Dethod=DELETE", f"/api/items?id={A}&_method",
            f"/api/items?id={A}&%20_method=DELETE", f"/api/items?id={A}&_Method%20=DELETE", f"/any/{A}/x?_method=",
            f"/api/items?_method=POST&id={A}", f"/api/items?id={A}&.method=DELETE", f"/api/items?id={A}&-method=DELETE",
            f"/api/items?id={A}&[method=DELETE", f"/api/items?id={A}&_method[]=DELETE", f"/api/items?id={A}&+_method=DELETE",
            f"/api/items?id={A}&%EF%BC%BFmethod=DELETE", f"/api/items?id={A}&x=1%26_method=DELETE",
            f"/api/items?id={A}&x=1%2526_method%253DDELETE", f"/api/items?id={A}&x=http://h/?_method=PUT",
            f"/api/one?id={A}&sort=a%26.method=DELETE", f"/api/items?id={A}&_method%20=DELETE",
            f"/api/items?id={A}&_method%20[]=DELETE",
        )
    ],
    "long input": [
        f"GET /any/{A}/" + "a" * 9_000,
        f"GET /deep/{A}/" + "a/" * 4_500,
        f"GET /api/items?id={A}&" + "&".join(f"k{n}=1" for n in range(300)),
        f"GET /api/items?id={A}" + "&a" * 300,
        f"GET /any/{A}/" + "%2525" * 100 + "2e%2e",
        f"GET /any/{A}/%" + "25" * 3_000 + "2f",
        f"GET /any/{A}/" + "%EF%BC%85" * 500 + "2f",
        f"GET /deep/{A}/" + "../" * 2_000 + "admin",
        "GET /" + "%2e%2e/" * 1_000 + "admin",
        f"GET /hls/{A}/seg1.ts?" + "&".join(["id=" + A] * 257),
        "A" * 9_000 + f" /media/{A}",
    ],
}  # fmt: skip

NOT_THEIRS: dict[str, list[str]] = {
    "another item, plainly": [
        f"GET /media/{B}", f"GET /hls/{B}/seg1.ts", f"GET /seg/{B}-1.ts", "GET /admin", "GET /", f"GET /any/{B}/x",
        f"GET /deep/{B}/a/b", f"HEAD /hls/{B}/seg1.ts", "GET /api/items", f"GET /api/items?id={B}", f"POST /api/play/{B}",
        f"GET /live/{B}/index.m3u8", f"GET /media/{A}{A}", f"GET /media/{A[:-1]}", f"GET /hls/{A}x/seg1.ts",
        f"GET /seg/{A}-{B}-1.ts", f"GET /seg/{A}1.ts", f"GET /media/{A}/", f"GET /media/%20{A}", f"GET /media/{A}%20",
        f"GET /media/{A}.", f"GET /hls/{A}./seg1.ts", f"GET /any/{A}%20/x", f"GET /any/.{A}/x",
        f"GET /pic/{B}/x?size=big", f"GET /pic/{A}/a.b?size=big", f"GET /pic/{A}/a/b?size=big",
        f"GET /admin?x=/media/{A}", f"GET /admin?/media/{A}", f"GET /admin?id={A}", f"GET /?/hls/{A}/seg1.ts",
        f"GET /any/{B}/x?/any/{A}/x", f"GET /media/{A}/style.css", f"GET /media/{A}.css",
    ],
    "case": [
        f"GET /HLS/{A}/seg1.ts", f"GET /hls/{A.upper()}/seg1.ts", f"GET /Media/{A}", f"GET /hls/{B.upper()}/seg1.ts",
        f"GET /any/{A.title()}/x", f"GET /%48ls/{A}/seg1.ts", "GET /hls/%41bc123/seg1.ts", f"GET /ANY/{A}/x",
        f"GET /API/items?id={A}", f"GET /api/ITEMS?id={A}", f"GET /api/items?id={A.upper()}", f"GET /Deep/{A}/x",
        f"GET /hls/{A}/seg1.TS", f"GET /SEG/{A}-1.ts", f"GET /live/{A}/INDEX.m3u8",
        f"GET /live/{A}/index.m3u8?_hls_msn=5", f"GET /live/{A}/index.m3u8?_HLS_MSN=5",
    ],
    "letters that fold into others": [
        "GET /hls/%EF%BD%81bc123/seg1.ts", "GET /any/%F0%9D%9A%8Abc123/x", f"GET /%EF%BD%88ls/{A}/seg1.ts",
        "GET /media/abc%C2%B923", "GET /media/abc1%E2%82%823", f"GET /hls/{A}%CC%81/seg1.ts", f"GET /hls/{A}/seg%C2%B9.ts",
        f"GET /hl%C5%BF/{A}/seg1.ts", "GET /any/%D0%B0bc123/x", f"GET /any/{A}%E2%80%8B/x", f"GET /any/{A}%EF%BB%BF/x",
        "GET /media/%E2%84%82", f"GET /any/%C2%AD{A}/x",
    ],
    "files that are not media": [
        f"GET /hls/{A}/.htaccess", f"GET /hls/{A}/.git/config", f"GET /hls/{A}/", f"GET /hls/{A}", "GET /hls/",
        f"GET /hls/{A}/seg1.ts/", f"GET /hls/{A}/seg1.ts/x", f"GET /hls/{A}/sub/seg1.ts", f"GET /hls/{A}/a.b.c.d",
        f"GET /hls/{A}/seg1", f"GET /any/{A}/", f"GET /any/{A}", f"GET /any/{A}/x/y", f"GET /deep/{A}", f"GET /deep/{A}/",
        f"GET /any/{A}/x/", f"GET /deep/{A}/x/", f"GET /seg/{A}-.ts", f"GET /seg/{A}-1a.ts", f"GET /seg/{A}-1234567890.ts",
        f"GET /seg/{A}-%D9%A1.ts", "GET /hls", "GET /media/", f"GET /hls/{A}/%2Dx.ts%20",
    ],
    "repeated query names": [
        f"GET /api/items?{query}"
        for query in (
            f"id={A}&id={B}", f"id={B}&id={A}", f"id={A}&id={A}", f"id={A}&id", f"id&id={A}", f"id={A}&id=", f"id=&id={A}",
            f"id={A}&x=1&id={B}", f"x=1&id={B}&id={A}", f"id={A}&%69d={B}", f"%69d={B}&id={A}", f"id={A}&i%64={B}",
        )
    ]
    + [f"GET /api/one?id={A}&sort=a&sort=b", f"GET /live/{A}/index.m3u8?_HLS_msn=1&_HLS_msn=2"],
    "oddly spelt query names": [
        f"GET /api/items?id={A}&{name}={B}"
        for name in (
            "ID", "Id", "iD", "i_d", "i.d", "i-d", "_id", "id_", "+id", "%20id", "id%20", "id+", "%2569d", ":id", "id:",
            "%EF%BD%89d", "%EF%BC%A9D", "i%C4%B1d", "id%E2%80%8B", "%22id%22", "'id'", "$id", "id%26x", "x%26id", "x%3Did",
            "%C4%B0d", "Id_", "i__d", "HLS_msn", "hls-msn", "_hls_MSN", "HLSPART", "RAW", "r_a_w",
        )
    ]
    + [
        f"GET /api/items?{query}"
        for query in (f"ID={A}", f"Id={A}", f"+id={A}", f"id={A},{B}", f"id={A}%2C{B}", f"id={A}+", f"id=+{A}", "id",
                      f"id=%20{A}", f"id%3D{A}", f"id={A}%20", f"i_d={A}", f"={A}", f"id={A}&={B}", f"id={A}&", f"&id={A}",
                      f"id={A}&&x=1", f"x&&id={A}", f"id={A}&sort%20by=x", f"id={A}&s%C3%B6rt=x", f"id={A}&a/b=1", f"id=={A}")
    ]
    + [f"GET /api/one?id={A}&other=1", f"GET /flag/{A}", f"GET /flag/{A}?raw=1", f"GET /flag/{A}?raw=", f"GET /flag/{A}?RAW",
       f"GET /pic/{A}/x", f"GET /pic/{A}/x?size=small", f"GET /pic/{A}/x?size=BIG", f"GET /pic/{A}/x?size=", f"GET /pic/{A}/x?size",
       f"GET /pic/{A}/x?size=big&size=small", f"GET /live/{A}/index.m3u8?_HLS_msn", f"GET /live/{A}/index.m3u8?_HLS_msn=",
       f"GET /live/{A}/index.m3u8?_HLS_msn=-1",
       f"GET /media/{A}?x", f"GET /media/{A}?id={A}", f"GET /hls/{A}/seg1.ts?id={B}", f"GET /any/{A}/x?y=1"],
    "array keys": [
        f"GET /api/items?{query}"
        for query in (
            f"id={A}&id[]={B}", f"id={A}&id%5B%5D={B}", f"id={A}&id[0]={B}", f"id[]={A}&id[]={B}", f"id[]={A}", f"id[0]={A}",
            f"id={A}&id%5b0%5d={B}", f"id={A}&id[a][b]={B}", f"id={A}&ID[]={B}", f"id={A}&id[={B}", f"id={A}&[id]={B}",
            f"id={A}&x[id]={B}", f"id={A}&{{{{id}}}}={B}", f"id={A}&id()={B}",
        )
    ],
    "other methods": [
        f"{method} {target}"
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "MOVE", "PURGE", "MKCOL")
        for target in (f"/media/{A}", f"/hls/{A}/seg1.ts", f"/api/items?id={A}")
    ]
    + [f"PUT /api/play/{A}", f"DELETE /api/play/{A}", f"GET /api/play/{A}", f"HEAD /api/play/{A}", f"GET /ws/{A}",
       f"HEAD /ws/{A}", f"POST /ws/{A}"],
}  # fmt: skip

UNREADABLE: dict[str, list[str]] = {
    "request lines that are none": [
        f"get /hls/{A}/seg1.ts", f"Get /media/{A}", f"FOO /media/{A}", f"GET/media/{A} x", f"GET /hls/{A}/seg 1.ts",
        f"GET /media/{A} HTTP/1.1", f"GET /hls/{B}/seg1.ts HTTP/1.1 /hls/{A}/seg1.ts", f"GET /media/{A}\tHTTP/1.1 x",
        f"GET /any/{A}/x\ty", f"GET /any/{A}/x\x00y", f"GET /any/{A}/x\x7fy", f"GET /any/{A}/x\x0by", f"GE\x00T /media/{A}",
        f"GET\t/media/{A}\t", f"GET /any/{A}/x\ry", f"GET(x) /media/{A}", f"\x00GET /media/{A}", "GET", f"/media/{A}",
        f"GET /admin? HTTP/1.1 /media/{A}", f"G\xcbT /media/{A}", "CONNECT 127.0.0.1:80", "CONNECT {other}",
        f"CONNECT /media/{A}", f"\"GET\" /media/{A}", f"GET /any/{A}/\x1bx",
    ],
}  # fmt: skip
"""Never reach a door: a 4xx of any kind, or the connection's end."""
