"""A coded body is undone in bounded pieces, and a cut one is never a whole one."""

import gzip
import zlib

import pytest

from linkback.inflate import BadCoding, Inflater, inflater

TEXT = b"To be, or not to be. " * 500


def _raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODED = [
    ("", TEXT),
    ("gzip", gzip.compress(TEXT)),
    ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:])),
    ("gzip", gzip.compress(TEXT) + b"\0" * 50),
    ("gzip", gzip.compress(TEXT) + b"\n"),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", zlib.compress(TEXT) + b"after"),
    ("deflate", _raw_deflate(TEXT)),
]


@pytest.mark.parametrize(("coding", "data"), CODED)
@pytest.mark.parametrize("step", [1, 10, 100_000])
def test_a_coded_body_is_undone_in_pieces_of_any_size(coding: str, data: bytes, step: int) -> None:
    decoder = Inflater(coding)
    pieces = (decoder.feed(data[at : at + step], 100_000) for at in range(0, len(data), step))
    assert b"".join(pieces) == TEXT
    assert decoder.is_whole


@pytest.mark.parametrize(
    ("coding", "data"),
    [("gzip", gzip.compress(TEXT)), ("deflate", zlib.compress(TEXT)), ("deflate", _raw_deflate(TEXT))],
)
def test_a_coded_body_that_stops_short_is_not_whole(coding: str, data: bytes) -> None:
    for end in (1, 2, 10, len(data) // 2, len(data) - 1):
        decoder = Inflater(coding)
        decoder.feed(data[:end], 100_000)
        assert not decoder.is_whole


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
def test_an_empty_body_is_whole_whatever_its_coding(coding: str) -> None:
    decoder = Inflater(coding)
    assert decoder.feed(b"", 1) == b""
    assert decoder.is_whole


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b"<p>hello</p>"),
        ("deflate", b"\xff\xff\xff"),
        ("gzip", gzip.compress(TEXT)[:-8] + b"\0" * 8),
        ("gzip", gzip.compress(TEXT) + b"\x1f\x8bxx"),
    ],
)
def test_damaged_coding_is_an_error(coding: str, data: bytes) -> None:
    with pytest.raises(BadCoding, match="content encoding is damaged"):
        Inflater(coding).feed(data, 100_000)


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
def test_no_more_is_decoded_than_there_is_room_for(coding: str) -> None:
    """A bomb costs what we are willing to hold, not what it holds."""
    data = {"": bytes(10**6), "gzip": gzip.compress(bytes(10**6)), "deflate": zlib.compress(bytes(10**6))}[coding]
    assert Inflater(coding).feed(data, 1000) == bytes(1000)


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ((), ""),
        (("identity",), ""),
        (("",), ""),
        (("gzip",), "gzip"),
        (("X-GZip",), "gzip"),
        (("deflate",), "deflate"),
        (("identity, gzip",), "gzip"),
    ],
)
def test_the_coding_is_read_from_the_fields(values: tuple[str, ...], coding: str) -> None:
    decoder = inflater(tuple(("content-Encoding", value) for value in values))
    data = {"": TEXT, "gzip": gzip.compress(TEXT), "deflate": zlib.compress(TEXT)}[coding]
    assert decoder.feed(data, 100_000) == TEXT


@pytest.mark.parametrize(
    "values", [("br",), ("zstd",), ("gzip, gzip",), ("gzip", "deflate"), (", ".join(["gzip"] * 500),)]
)
def test_a_coding_that_was_not_asked_for_and_a_chain_of_them_are_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(BadCoding, match="no content encoding"):
        inflater(tuple(("Content-Encoding", value) for value in values))
