"""What HTTP itself says, in every protocol: statuses and waiting times, read and written.

Rule: a body that judged the claim outranks the status; these functions speak where there is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from linkback.errors import BadStatus
from linkback.model import Answer, Outcome, Reply
from linkback.wire import Headers, Request, Response, http_date

#: statuses that say "no endpoint here": another protocol may be tried (protocols.md B-9)
UNUSABLE = frozenset({404, 405, 410, 501})
#: a day: no receiver may park a delivery for longer, in seconds
MAX_RETRY_AFTER = 86_400
#: what we ask for where nobody said, in seconds
DEFAULT_RETRY_AFTER = 60
TEXT = ("Content-Type", "text/plain; charset=utf-8")


def succeeded(response: Response) -> bool:
    """Whether the status is 2xx."""
    return 200 <= response.status < 300


def is_temporary(status: int) -> bool:
    """Whether waiting can help: 408, 425, 429 and 5xx, but not 501 (protocols.md B-9, B-38)."""
    return status not in UNUSABLE and (status >= 500 or status in BadStatus.TEMPORARY)


def by_status(response: Response, detail: str = "") -> Reply:
    """What a status other than 2xx means to a sender, where the body said nothing (B-38, B-48, B-53)."""
    return Reply(
        outcome=Outcome.FAILED if is_temporary(response.status) else Outcome.REFUSED,
        code=response.status,
        detail=detail,
        unusable=response.status in UNUSABLE,
        retry_after=retry_after(response),
    )


def malformed(response: Response, wanted: str) -> Reply:
    """A 2xx answer that is not what the protocol answers: no success (protocols.md B-37, B-47)."""
    return Reply(
        outcome=Outcome.REFUSED,
        code=response.status,
        detail=f"malformed: the server answered {response.status} without {wanted}",
    )


def retry_after(response: Response) -> int | None:
    """`Retry-After` in seconds, from a number or an HTTP date; at most a day, None where it says nothing.

    A date is counted from the answer's own `Date`, so that clocks need not agree.
    """
    value = response.header("Retry-After")
    if re.fullmatch("[0-9]+", value):
        # six digits are beyond the cap already, and int() refuses thousands of them
        return min(int(value.lstrip("0")[:6] or "0"), MAX_RETRY_AFTER)
    when = http_date(value)
    if when is None:
        return None
    now = http_date(response.header("Date")) or datetime.now(UTC)
    return max(0, min(int((when - now).total_seconds()), MAX_RETRY_AFTER))


def wait(answer: Answer) -> Headers:
    """The `Retry-After` field that goes with a "not now" of ours."""
    seconds = DEFAULT_RETRY_AFTER if answer.retry_after is None else answer.retry_after
    return (("Retry-After", str(max(0, seconds))),)


def wrong_verb(request: Request) -> Response:
    """405: an endpoint takes POST only (protocols.md C-20, C-77)."""
    return plain(request, 405, "This address takes POST requests only.", (("Allow", "POST"),))


def too_large(request: Request) -> Response:
    """413: the body is longer than any ping (protocols.md C-2)."""
    return plain(request, 413, "The request is too large.")


def plain(request: Request, status: int, text: str, headers: Headers = ()) -> Response:
    """An answer in plain text; to HEAD without its body."""
    body = b"" if request.method == "HEAD" else f"{text}\n".encode()
    return Response(status, (*headers, TEXT), body, request.url)
