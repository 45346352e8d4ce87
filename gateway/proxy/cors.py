"""What players on other origins need to read what is cast to them: a Chromecast's receiver is a web page of its maker.

Rule: only on addresses with a ticket, which are their own proof; never with credentials, so that no cookie of a
guest's browser is of use to another page (Fetch, CORS protocol).
"""

from __future__ import annotations

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Accept-Ranges, Content-Type",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Range, Content-Type, Accept-Encoding",
    "Access-Control-Max-Age": "600",
}
