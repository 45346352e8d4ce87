from __future__ import annotations

import pytest

from gateway import config
from gateway.errors import BadFile
from gateway.web.theme import MAX_LOGO, load_theme


def test_a_theme_is_read_at_start(tmp_path):
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    theme = load_theme(config.Theme(name="Cinema", notice="Hush", logo=tmp_path / "logo.png"))
    assert (theme.name, theme.notice) == ("Cinema", "Hush")
    assert theme.logo is not None
    assert theme.logo.content_type == "image/png"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("logo.html", b"<p>", "must end in one of"),
        ("missing.png", None, "can't be read"),
        ("huge.png", b"x" * (MAX_LOGO + 1), "larger than"),
    ],
)
def test_a_logo_that_cannot_be_shown_is_named_at_start(tmp_path, name, content, what):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=what):
        load_theme(config.Theme(logo=tmp_path / name))
