"""The stage of every attack: `A` is the item of the guest's link, `B` another one on the same server.

Each sort of rule stands here once, the careless ones too: under `/any/{id}/*` and `/deep/{id}/**` nothing but the
reading of the target itself keeps a request inside the item, and `/*/{id}.bin` would have the gateway's own paths.
"""

from __future__ import annotations

A, B = "abc123", "xyz789"

POLICY = """
server: Recording upstream
item: {id: "[a-z0-9]{6,32}"}
patterns:
  n: "[0-9]{1,9}"
  file: "[A-Za-z0-9_-]+[.][a-z0-9]{1,8}"
  undotted: "[^.]{1,20}"
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
      - GET /api/one?id={id}&sort=*
      - GET /flag/{id}?raw
      - GET /pic/{id}/{undotted}?size=big
      - GET /live/{id}/index.m3u8?_HLS_msn={n}?&_HLS_part={n}?
      - GET /*/{id}.bin
      - POST /api/play/{id}
      - WS /ws/{id}
"""

PLACES = ("/media/", "/hls/", "/seg/", "/any/", "/deep/", "/flag/", "/pic/", "/live/", "/api/play/", "/ws/")
"""What stands before the item's id in the paths of the rules."""
