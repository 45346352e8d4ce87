"""Request lines: hostile ones by class, and odd but legitimate ones.

`A` is the item of the link, `B` another one on the same server.
"""

from __future__ import annotations

A, B = "abc123", "xyz789"

HOSTILE: dict[str, list[str]] = {
    "another item, plainly": [
        f"GET /media/{B}",
        f"GET /hls/{B}/seg1.ts",
        f"GET /seg/{B}-1.ts",
        "GET /admin",
        "GET /",
        "GET /api/items",
        f"GET /api/items?id={B}",
        f"HEAD /hls/{B}/seg1.ts",
    ],
    "dot segments": [
        f"GET /hls/{A}/../{B}/seg1.ts",
        f"GET /hls/{A}/./../{B}/seg1.ts",
        f"GET /hls/./{B}/seg1.ts",
        f"GET /../hls/{B}/seg1.ts",
        f"GET /hls/{A}/..",
        f"GET /hls/{A}/..?x",
        f"GET /hls/{A}../{B}/seg1.ts",
        f"GET /hls/{A}/.../../{B}/seg1.ts",
    ],
    "encoded dot segments": [
        f"GET /hls/{A}/{dots}/{B}/seg1.ts"
        for dots in ("%2e%2e", "%2E%2E", ".%2e", "%2e.", "%2e", "..%20", "..%09", "..%C2%A0", "%2e%2e%20", ".%20.")
    ],
    "overlong and doubly encoded": [
        f"GET /hls/{A}/{dots}/{B}/seg1.ts"
        for dots in (
            "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%252e%252e", "%25252e%25252e", "%252E.", "..%252f",
            "%25%32%65%25%32%65", "%u002e%u002e", "%%32e%%32e", "%2%65%2%65",
        )
    ],
    "encoded slashes": [
        f"GET /hls/{A}{slash}..{slash}{B}/seg1.ts"
        for slash in ("%2f", "%2F", "%5c", "%5C", "%252f", "%255c", "\\", "%c0%af", "%ef%bc%8f", "%ef%bc%bc", "%25252f")
    ],
    "empty segments": [
        f"GET //hls/{B}/seg1.ts",
        f"GET /hls//{B}/seg1.ts",
        f"GET /hls/{A}//seg1.ts",
        f"GET /hls/{A}///../{B}/seg1.ts",
        f"GET //{B}",
    ],
    "path parameters": [
        f"GET /hls/{A}/..;/{B}/seg1.ts",
        f"GET /hls/{A}/..;x=1/{B}/seg1.ts",
        f"GET /hls/{A};x/seg1.ts",
        f"GET /hls/{A}%3b/seg1.ts",
        f"GET /hls/{A}/..%3b/{B}/seg1.ts",
        f"GET /hls/{A}/..%253b/{B}/seg1.ts",
        f"GET /media/{A};/../{B}",
        f"GET /hls/{A}/..%EF%BC%9B/{B}/seg1.ts",
    ],
    "unicode folding": [
        f"GET /hls/{A}/{dots}/{B}/seg1.ts"
        for dots in ("%EF%BC%8E%EF%BC%8E", "%E2%80%A5", "%E2%80%A4%E2%80%A4", "%EF%BC%852e%EF%BC%852e", ".%EF%BC%8E")
    ],
    "case": [
        f"GET /HLS/{A}/seg1.ts",
        f"GET /hls/{A.upper()}/seg1.ts",
        f"GET /Media/{A}",
        f"GET /hls/{B.upper()}/seg1.ts",
        f"get /hls/{A}/seg1.ts",
    ],
    "NUL and controls": [
        f"GET /hls/{A}/seg1.ts%00.jpg",
        f"GET /hls/{B}%00/{A}/seg1.ts",
        f"GET /hls/{A}/seg1.ts%0d%0aX:1",
        f"GET /hls/{A}/seg1.ts%0a",
        f"GET /hls/{A}/%7fseg1.ts",
        f"GET /hls/{A}/seg1%2500.ts",
        f"GET /hls/{A}/seg1.ts?x=%00",
        f"GET /hls/{A}/%C2%85seg1.ts",
    ],
    "fragments and other forms": [
        f"GET /hls/{A}/seg1.ts#/../{B}",
        f"GET http://127.0.0.1/hls/{B}/seg1.ts",
        f"GET http://127.0.0.1/hls/{A}/seg1.ts",
        "GET 127.0.0.1:80",
        "GET *",
        "OPTIONS *",
        "CONNECT 127.0.0.1:80",
        f"GET hls/{A}/seg1.ts",
        "GET @evil.example/",
        "GET :80/",
        "GET http:/x",
    ],
    "bad escapes": [
        f"GET /hls/{A}/seg1{bad}.ts" for bad in ("%", "%2", "%zz", "%%", "%u0041", "%ff", "%c3", "%ed%a0%80")
    ],
    "repeated and oddly spelt query names": [
        f"GET /api/items?{query}"
        for query in (
            f"id={A}&id={B}", f"id={B}&id={A}", f"id={A}&ID={B}", f"id={A}&Id={B}", f"id={A}&i_d={B}",
            f"id={A}&i.d={B}", f"id={A}&i-d={B}", f"id={A}&id[]={B}", f"id={A}&id%5B%5D={B}", f"id={A}&id[0]={B}",
            f"id={A}&%69d={B}", f"id={A}&%2569d={B}", f"id={A}&id%3D{B}", f"id={A}&x=1%26id%3D{B}",
            f"id={A}&x=1%2526id%253D{B}", f"id={A}&x=%3Bid%3D{B}", f"id={A};id={B}", f"id={A}&+id={B}",
            f"id={A}&%20id={B}", f"id={A}&id%00={B}", f"id={A}%00{B}", f"id={A}&%EF%BD%89d={B}", f"id={A}?id={B}",
            f"id={A}&x=http://h/?id={B}", f"id[]={A}&id[]={B}", f"id={A},{B}", f"id={A}%2C{B}", f"id={A}&:id={B}",
        )
    ],
    "method override and other methods": [
        f"POST /hls/{A}/seg1.ts", f"PUT /media/{A}", f"DELETE /media/{A}", f"PATCH /media/{A}", f"TRACE /media/{A}",
        f"PROPFIND /media/{A}", f"GET /media/{A}?_method=DELETE", f"GET /api/items?id={A}&_method=DELETE",
        f"GET /api/items?id={A}&_METHOD=DELETE", f"GET /api/items?id={A}&%5Fmethod=DELETE", f"FOO /media/{A}",
    ],
    "files that are not media": [
        f"GET /hls/{A}/.htaccess", f"GET /hls/{A}/.git/config", f"GET /hls/{A}/", f"GET /hls/{A}", "GET /hls/",
        f"GET /hls/{A}/seg1.ts/", f"GET /hls/{A}/seg1.ts/x", f"GET /hls/{A}/sub/seg1.ts", f"GET /hls/{A}/a.b.c.d",
    ],
}  # fmt: skip

LEGITIMATE: list[str] = [
    f"GET /media/{A}",
    f"HEAD /media/{A}",
    f"GET /hls/{A}/seg1.ts",
    "GET /hls/%61bc123/seg1.ts",
    f"GET /hls/{A}/seg%31.ts",
    f"GET /hls/{A}/SEG_001-x.ts",
    *(f"GET /seg/{A}-{n}.ts" for n in (0, 1, 42, 999999999)),
    *(
        f"GET /any/{A}/{name}"
        for name in (
            "100%25.ts", "100%25%20sure.ts", "a%20b.ts", "a+b.ts", "a%2Bb.ts", "a,b.ts", "a:b.ts", "a@b.ts", "a=b.ts",
            "a!b.ts", "a$b.ts", "a'b.ts", "a(b).ts", "a*b.ts", "a~b.ts", "a%7Eb.ts", "a%22b.ts", "a%3Cb%3E.ts",
            "a%7Cb.ts", "a|b.ts", "a%5Bb%5D.ts", "a[b].ts", "a%7Bb%7D.ts", "a^b.ts", "a%60b.ts", "a&b.ts", "a%26b.ts",
            "a%3Fb.ts", "a%23b.ts", "...a", "..a", ".a", "a.", "a.b.", "%E3%83%86%E3%82%B9%E3%83%88.ts",
            "%D0%BA%D0%B8%D0%BD%D0%BE.ts", "%D7%A7%D7%95%D7%9C%D7%A0%D7%95%D7%A2.ts", "%F0%9F%8E%AC.ts",
            "%EF%BC%A1%EF%BC%A2.ts", "wait%E2%80%A6.ts", "caf%C3%A9.ts", "cafe%CC%81.ts", "%EF%BC%85.ts",
            "50%25-%2541.ts", "a%E2%80%8Db.ts", "a%C2%BDb.ts", "%25%25.ts", "%2525.ts",
        )
    ),
    f"GET /deep/{A}/a/b/c.ts",
    f"GET /deep/{A}/a/b%20c/100%25.ts",
    f"GET /api/items?id={A}",
    f"GET /api/items?id={A}&sort=name",
    f"GET /api/items?sort=name&id={A}",
    f"GET /api/items?id={A}&sort=a&sort=b&flag",
    f"GET /api/items?id={A}&u=http://h/a/../b",
    f"GET /api/items?id={A}&u=%2Fa%2F..%2Fb",
    f"GET /api/items?id={A}&q=a%20b+c%2Bd",
    f"GET /api/items?id={A}&q=50%25",
    f"GET /api/items?id={A}&empty=",
    f"GET /live/{A}/index.m3u8",
    f"GET /live/{A}/index.m3u8?",
    f"GET /live/{A}/index.m3u8?_HLS_msn=5",
    f"GET /live/{A}/index.m3u8?_HLS_msn=5&_HLS_part=0",
    f"GET /live/{A}/index.m3u8?_HLS_part=0&_HLS_msn=5",
]  # fmt: skip

POLICY = """
server: Recording upstream
item: {id: "[a-z0-9]{6,32}"}
patterns:
  n: "[0-9]{1,9}"
  file: "[A-Za-z0-9_-]+[.][a-z0-9]{1,8}"
kinds:
  video:
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
      - GET /seg/{id}-{n}.ts
      - GET /any/{id}/*
      - GET /deep/{id}/**
      - GET /api/items?id={id}&*
      - GET /live/{id}/index.m3u8?_HLS_msn={n}?&_HLS_part={n}?
"""
