"""Form bodies, to bytes and back.

Values stay bytes until a protocol has chosen the charset: TrackBack senders name theirs in three
different places, or nowhere (protocols.md C-57).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from linkback.errors import Reason, Refused
from linkback.wire import Request

#: more fields than any protocol has, few enough that a hostile body costs nothing
MAX_FIELDS = 20
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
# The mail parser of the standard library takes quadratic time on parameters, and recurses on comments.
_BOUNDARY = re.compile(r""";[ \t]*boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))""", re.IGNORECASE)
_PART = re.compile(rb"\r?\n((?:[^\r\n]++\r?\n)*+)\r?\n(.*)", re.DOTALL)
_NAME = re.compile(
    rb"""^content-disposition:[ \t]*form-data(?:[^\r\n;]|;(?![ \t]*name=))*+;[ \t]*name=(?:"([^"\r\n]*)"|([^\s;"]+))""",
    re.IGNORECASE | re.MULTILINE,
)

Fields = list[tuple[bytes, bytes]]


def write_form(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Percent-encode pairs as UTF-8, spaces as `+` (protocols.md B-42)."""
    return urlencode(list(pairs), encoding="utf-8", errors="replace").encode("ascii")


def read_form(request: Request) -> Fields:
    """The fields of a urlencoded or multipart body, in order.

    Raises `Refused(BAD_CONTENT_TYPE)` for any other type, `Refused(MALFORMED)` for a body that
    cannot be one, and `Refused(TOO_LARGE)` for one of more fields than `MAX_FIELDS`. A missing type
    counts as urlencoded (C-54).
    """
    if request.content_type == MULTIPART:
        return _read_multipart(request)
    if request.content_type != URLENCODED and request.header("Content-Type"):
        raise Refused(Reason.BAD_CONTENT_TYPE, f"{request.content_type!r} is no form")
    try:
        # latin-1 maps every byte to one character and back, so the bytes survive unread
        pairs = parse_qsl(
            request.body.decode("latin-1"),
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Refused(Reason.TOO_LARGE, f"the form has more than {MAX_FIELDS} fields") from error
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _read_multipart(request: Request) -> Fields:
    """RFC 7578. Values are taken as they are: the transfer encodings of mail were never in use here."""
    boundary = _BOUNDARY.search(request.header("Content-Type"))
    if boundary is None:
        raise Refused(Reason.MALFORMED, "the multipart body names no boundary")
    name = re.escape((boundary[1] or boundary[2]).encode("latin-1", "replace"))
    delimiter = re.compile(rb"\r?\n--" + name + rb"(--)?+[ \t]*+(?=\r?\n|\Z)")
    # the first delimiter stands at the very start, with no line before it
    body = b"\n" + request.body
    found = list(itertools.islice(delimiter.finditer(body), MAX_FIELDS + 1))
    last = next((number for number, match in enumerate(found) if match[1]), None)
    if last is None and len(found) > MAX_FIELDS:
        raise Refused(Reason.TOO_LARGE, f"the form has more than {MAX_FIELDS} fields")
    if last is None:
        raise Refused(Reason.MALFORMED, "the multipart body has no end")
    between = itertools.pairwise(found[: last + 1])
    return [field for start, end in between for field in _read_part(body[start.end() : end.start()])]


def _read_part(part: bytes) -> Fields:
    """The field of one part: none where it has no name."""
    content = _PART.fullmatch(part)
    name = _NAME.search(content[1]) if content else None
    return [(name[1] if name[1] is not None else name[2], content[2])] if content and name else []
