"""`theme:` of the deployment and of a server: what is taken over, what is refused, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import FooterLink
from gateway.config_file import load_config
from gateway.config_theme import address
from gateway.errors import BadFile

HEAD = """\
public_url: https://guest.example.org
servers:
  - {name: one, upstream: "http://127.0.0.1:1", policy: hls, public_host: one.example.org%s}
  - {name: two, upstream: "http://127.0.0.1:2", policy: hls, public_host: two.example.org}
"""


def load(folder: Path, theme: str, server: str = ""):
    (folder / "config.yaml").write_text(HEAD % (f", theme: {server}" if server else "") + theme)
    return load_config(folder / "config.yaml")


def faults(folder: Path, theme: str, server: str = "") -> list[str]:
    with pytest.raises(BadFile) as caught:
        load(folder, theme, server)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    for name in ("logo.svg", "own.css"):
        (tmp_path / name).write_text("x")
    (tmp_path / "mine").mkdir()
    theme = load(
        tmp_path,
        """theme:
  name: Village cinema
  notice: |
    Doors open at eight.
    No dogs.
  logo: logo.svg
  logo_alt: A reel of film
  folder: mine
  css: own.css
  scheme: light
  colours: {accent: "#A11", background: "#fff", text: "#111"}
  footer:
    - {text: Imprint, url: https://example.org/imprint}
    - {text: Help, url: "mailto:help@example.org?subject=Hello"}
  privacy_url: https://example.org/privacy
""",
    ).theme
    assert theme.notice == "Doors open at eight.\nNo dogs."
    assert (theme.folder, theme.css) == (tmp_path / "mine", tmp_path / "own.css")
    assert theme.colours is not None
    assert (theme.colours.light.accent, theme.colours.dark) == ("#aa1111", None)
    assert theme.footer[1] == FooterLink("Help", "mailto:help@example.org?subject=Hello")


def test_each_key_of_a_server_stands_in_for_the_deployments(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "theme: {name: All, notice: Hush, scheme: dark, footer: [{text: A, url: 'https://a.example'}]}\n",
        "{name: One, notice: '', footer: []}",
    )
    one, two = config.servers
    assert one.theme is not None
    assert (one.theme.name, one.theme.notice, one.theme.scheme, one.theme.footer) == ("One", "", "dark", ())
    assert two.theme is None
    assert load(tmp_path, "theme: {name: All}\n", "{}").servers[0].theme is None


def test_colours_that_cannot_be_read_are_named_at_their_place(tmp_path: Path) -> None:
    assert faults(tmp_path, "theme:\n  colours:\n    accent: '#999'\n    background: '#fff'\n") == [
        "config.yaml:7:13: theme.colours.accent: #999999 on the background #ffffff has a contrast of 2.84:1; "
        "4.5:1 is needed (WCAG 2.2 AA)"
    ]
    assert faults(tmp_path, "theme:\n  colours:\n    dark: {text: '#333'}\n") == [
        "config.yaml:7:18: theme.colours.dark.text: #333333 on #1e2127 (the form, on the background #12151c) has a "
        "contrast of 1.27:1; 4.5:1 is needed (WCAG 2.2 AA)"
    ]
    (only, *more) = faults(tmp_path, "theme: {colours: {background: '#222'}}\n")
    assert only.startswith("config.yaml:5:31: theme.colours.background: the accent #2f5fd0 on ")
    assert len(more) == 1, "the text as well"
    assert faults(tmp_path, "", "{colours: {text: '#eee'}}")[0].startswith(
        "config.yaml:3:116: servers[0].theme.colours.text: #eeeeee on "
    )


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("colours: {accent: 'red;}body{display:none'}", "theme.colours.accent: must be a colour"),
        ("colours: {accent: #2f5fd0\n}", 'theme.colours.accent: must be a colour such as "#2f5fd0", in quotes'),
        ("colours: {dark: {accent: blue}}", "theme.colours.dark.accent: must be a colour"),
        ("colours: {acent: '#000'}", "theme.colours.acent: unknown key (did you mean accent?)"),
        ("colours: red", "theme.colours: must be a mapping"),
        ("scheme: black", "theme.scheme: must be auto or light or dark"),
        ("css: none.css", "theme.css: no file none.css"),
        ('name: "a\\u0007b"', "theme.name: must hold no control characters"),
        (f"name: {'x' * 101}", "theme.name: must be at most 100 characters"),
        (f"notice: {'x' * 2_001}", "theme.notice: must be at most 2000 characters"),
        ("footer: [{text: A}]", "theme.footer[0].url: is missing"),
        ("footer: [{url: 'https://a.example'}]", "theme.footer[0].text: is missing"),
        ("footer: [{text: '', url: 'https://a.example'}]", "theme.footer[0].text: must not be empty"),
        ("footer: ['https://a.example']", "theme.footer[0]: must be a mapping"),
        ("footer: {text: A, url: b}", "theme.footer: must be a list"),
        ("footer: [{text: A, url: 'javascript:alert(1)'}]", "theme.footer[0].url: must be an address such as"),
        ("privacy_url: 'data:text/html,x'", "theme.privacy_url: must be an address such as"),
        ("privacy_url: /privacy", "theme.privacy_url: must be an address such as"),
    ],
)
def test_what_is_refused(tmp_path: Path, written: str, what: str) -> None:
    assert any(what in fault for fault in faults(tmp_path, f"theme: {{{written}}}\n"))


def test_the_list_of_links_has_an_end(tmp_path: Path) -> None:
    links = ", ".join("{text: A, url: 'https://a.example'}" for _ in range(13))
    assert faults(tmp_path, f"theme: {{footer: [{links}]}}\n") == [
        "config.yaml:5:17: theme.footer: must be at most 12 links"
    ]


@pytest.mark.parametrize(
    "written",
    ["javascript:alert(1)", "JavaScript://x/%0aalert(1)", " java\tscript:alert(1)", "java\nscript:x", "vbscript:x",
     "data:text/html;base64,x", "blob:https://a/b", "file:///etc/passwd", "//evil.example", "https:evil.example",
     "https:///evil", "https://", "http:\\\\evil.example", "https://user:pw@a.example",
     "https://a.example/\" onclick=x",
     "https://a.example/<b>", "https://ä.example/", "mailto:", "mailto:nobody", "mailto://a@b", "ftp://a.example",
     "https://a.example/" + "x" * 500, "https://a.example:99999/"],
)  # fmt: skip
def test_links_lead_to_the_web_or_to_mail(written: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        address(written)


@pytest.mark.parametrize(
    "written",
    ["https://a.example", "HTTP://a.example:8080/x?a=1&b='2'#c", "mailto:a@b.example", "https://[::1]/", "https://a.example/%C3%A4"],
)  # fmt: skip
def test_good_links(written: str) -> None:
    assert address(written) == written
