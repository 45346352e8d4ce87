"""Two films that can be told apart, cut into pieces of the same length."""

from tests.servers.films import SEGMENTS, Films


def test_pieces(films: Films) -> None:
    for film in (films.one, films.two):
        for quality in ("high", "low"):
            names = {path.name for path in (film / quality).iterdir() if path.suffix != ".m3u8"}
            pieces = {f"{number}.{kind}" for number in range(SEGMENTS) for kind in ("mp4", "ts")}
            assert names == pieces | {"init.mp4"}
    for name in ("film.mp4", "song.mp3", "poster.jpg", "captions.vtt", "tiles.jpg", "high/0.mp4", "low/0.ts"):
        assert (films.one / name).read_bytes() != (films.two / name).read_bytes(), name
