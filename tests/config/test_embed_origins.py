"""`session.embed_origins` stands in a header of every page: nothing in it may end or widen what is said there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config import Origin
from gateway.web.embedding import Embedding
from tests.config.test_config_file import PUBLIC, SERVER, faults, load

URL = "must be a URL such as https://guest.example.org"
WILD = "must name one origin, such as https://lms.example.edu; there are no wildcards"
NAME = "the host must be a name such as tv.example.org, or an IP address (v6 in [])"
CSP_NAME = "the host must be a name of letters, digits, - and dots, such as lms.example.edu"
PATH = "must be scheme, host and port alone, such as https://guest.example.org, without a path"
PORT = "the port must be a number from 1 to 65535"

WRONG = {
    "http://lms.example.edu": "must begin with https:// (http:// is for this machine alone)",
    "https://guest.example.org": "is the guests' own address: pages of the media server would look into the entry page",
    "https://*.example.edu": WILD,
    "*": WILD,
    "https:": URL,
    "lms.example.edu": URL,
    "null": URL,
    "'self'": URL,
    "data:": URL,
    "https://lms.example.edu; script-src x": URL,
    "https://lms.example.edu;script-src": NAME,
    "https://lms.example.edu,https:": PORT,
    "https://lms.example.edu https://x": URL,
    r"https://lms.example.edu\r\nX: y": URL,
    r"https://lms\n.example.edu": URL,
    r"https://lms\0.example.edu": URL,
    "https://lms.example.edu:99999": PORT,
    "https://lms.example.edu:*": WILD,
    "https://lms.example.edu/course": PATH,
    "https://lms.example.edu?": PATH,
    "https://a:b@lms.example.edu": "must hold no user name or password",
    "https://lms.exämple.edu": "the host must be written in ASCII (as xn--…)",
    "https://lms.example.edu.": CSP_NAME,
    "https://lms_x.example.edu": CSP_NAME,
    "https://[2001:db8::1]": CSP_NAME,
    "ftp://lms.example.edu": "must begin with http:// or https://",
}


@pytest.mark.parametrize("value", WRONG)
def test_what_is_no_plain_origin_is_refused_at_its_place(tmp_path: Path, value: str) -> None:
    text = f'{PUBLIC}{SERVER}session: {{embed_origins: ["{value}"]}}\n'
    assert faults(tmp_path, text) == [f"3:27: session.embed_origins[0]: {WRONG[value]}"]


def test_lists_that_are_none_repeat_themselves_or_have_no_end(tmp_path: Path) -> None:
    begin = f"{PUBLIC}{SERVER}session: {{embed_origins: "
    assert faults(tmp_path, f"{begin}https://lms.example.edu}}\n") == [
        "3:26: session.embed_origins: must be a list ([a, b], or lines that begin with -)"
    ]
    assert faults(tmp_path, f"{begin}[https://lms.example.edu, HTTPS://LMS.example.edu:443/]}}\n") == [
        "3:52: session.embed_origins[1]: stands here twice"
    ]
    assert faults(tmp_path, f"{begin}[{', '.join(f'https://lms{n}.example.edu' for n in range(25))}]}}\n") == [
        "3:26: session.embed_origins: more than 24: they stand in the head of every page"
    ]


def test_no_host_of_a_server_may_be_among_them(tmp_path: Path) -> None:
    server = "{name: tv, upstream: http://127.0.0.1:8096, policy: hls, public_host: tv.example.org}"
    text = f"{PUBLIC}servers: [{server}]\nsession: {{embed_origins: [https://tv.example.org]}}\n"
    assert faults(tmp_path, text)[0].startswith("3:27: session.embed_origins[0]: is the guests' own address")


def test_it_needs_https(tmp_path: Path) -> None:
    text = f"public_url: http://127.0.0.1:8080\n{SERVER}session: {{embed_origins: [https://lms.example.edu]}}\n"
    assert faults(tmp_path, text) == [
        "3:26: session.embed_origins: needs a public_url that begins with https://: browsers keep no cookies in frames"
        " else"
    ]


def test_what_passes_names_these_origins_and_nothing_else(tmp_path: Path) -> None:
    written = (
        "[https://lms.example.edu, 'https://XN--lms-ab.Example.edu:8443/', http://lms.localhost:8000, https://10.1.2.3]"
    )
    config = load(tmp_path, f"{PUBLIC}{SERVER}session: {{embed_origins: {written}}}\n")
    assert config.session.embed_origins[0] == Origin("https", "lms.example.edu", 443)
    ancestors = Embedding(config.session.embed_origins).ancestors
    assert ancestors == (
        "https://lms.example.edu https://xn--lms-ab.example.edu:8443 http://lms.localhost:8000 https://10.1.2.3"
    )
    assert all(re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]+)?", one) for one in ancestors.split(" "))
    for empty in ("[]", "", "{}"):
        assert load(tmp_path, f"{PUBLIC}{SERVER}session: {{embed_origins: {empty}}}\n").session.embed_origins == ()
