"""Who hears of an edit: decided from what was told before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkback.model import Cause, Delivery, Outcome
from linkback.owing import changes, heard, too_many

S, T = "https://s.example/note", "https://t.example/post"
UPDATES = frozenset({"webmention"})
Found = tuple[Cause, Outcome, str] | None


def known(
    outcome: Outcome, protocol: str | None = None, told: str = "", cause: Cause = Cause.NEW, again: int = 0
) -> Delivery:
    return Delivery(
        source=S, target=T, id="7", outcome=outcome, protocol=protocol, told=told, cause=cause, attempts=1, again=again
    )


WM, PB, TB = "webmention", "pingback", "trackback"
SENT, QUEUED, REFUSED, FAILED, UNKNOWN = (
    Outcome.SENT,
    Outcome.QUEUED,
    Outcome.REFUSED,
    Outcome.FAILED,
    Outcome.UNKNOWN,
)
NONE, WITHDRAWN, ACCEPTED = Outcome.NO_ENDPOINT, Outcome.WITHDRAWN, Outcome.ACCEPTED
NEW, UPDATE, REMOVED, DELETED = Cause

#: what is known of the target; what is owed where the post still links to it, and where it does not
CASES: dict[str, tuple[Delivery, Found, Found]] = {
    "B-60 told by webmention": (known(SENT, WM, WM), (UPDATE, QUEUED, WM), (REMOVED, QUEUED, WM)),
    "B-60 accepted by webmention": (known(ACCEPTED, WM, WM), (UPDATE, QUEUED, WM), (REMOVED, QUEUED, WM)),
    "B-63 told by pingback": (known(SENT, PB, PB), None, None),
    "B-63 told by trackback": (known(SENT, TB, TB), None, None),
    "not told yet": (known(QUEUED), None, (NEW, WITHDRAWN, "")),
    "waits to be told of an edit": (known(QUEUED, WM, WM, UPDATE), None, (REMOVED, QUEUED, WM)),
    "waits to be told of the loss": (known(QUEUED, WM, WM, REMOVED), (UPDATE, QUEUED, WM), None),
    "told of the loss": (known(SENT, WM, WM, REMOVED), (UPDATE, QUEUED, WM), None),
    "knew of no such link": (known(REFUSED, WM, WM, REMOVED), (UPDATE, QUEUED, WM), None),
    "could not be told of the loss": (known(FAILED, WM, WM, REMOVED), (UPDATE, QUEUED, WM), (REMOVED, QUEUED, WM)),
    "B-64 dropped its endpoint": (known(NONE, None, WM, UPDATE), (UPDATE, QUEUED, WM), (REMOVED, QUEUED, WM)),
    "B-11 may have been told by webmention": (known(UNKNOWN, WM), (UPDATE, UNKNOWN, WM), (REMOVED, UNKNOWN, WM)),
    "B-11 may have been told by pingback": (known(UNKNOWN, PB), None, None),
    "B-11 may have been told by trackback": (known(UNKNOWN, TB), None, None),
    "did not listen": (known(NONE), (NEW, QUEUED, ""), None),
    "could not be reached": (known(FAILED, WM), (NEW, QUEUED, ""), (NEW, WITHDRAWN, "")),
    "saw no link": (known(REFUSED, WM), (NEW, QUEUED, ""), None),
    "was gone": (known(REFUSED), (NEW, QUEUED, ""), None),
    "B-9 refused a pingback": (known(REFUSED, PB), None, None),
    "B-49 refused a trackback": (known(REFUSED, TB), None, None),
    "B-39 is to be asked once more": (known(REFUSED, PB, again=1), None, (NEW, WITHDRAWN, "")),
    "its link was gone before it was told": (known(WITHDRAWN), (NEW, QUEUED, ""), None),
}  # fmt: skip


def found(owed: list[Delivery]) -> Found:
    if not owed:
        return None
    (one,) = owed
    assert (one.id, one.attempts if one.outcome is not WITHDRAWN else 0) == ("7", 0)
    return one.cause, one.outcome, one.told


@pytest.mark.parametrize(("old", "linked", "unlinked"), CASES.values(), ids=CASES)
def test_an_edit_owes_by_what_was_told(old: Delivery, linked: Found, unlinked: Found) -> None:
    assert found(changes(S, [old], [T], UPDATES)) == linked
    assert found(changes(S, [old], [], UPDATES)) == unlinked


@pytest.mark.parametrize(
    ("old", "owed"),
    [
        (known(SENT, WM, WM), (DELETED, QUEUED, WM)),
        (known(SENT, PB, PB), None),
        (known(QUEUED), (NEW, WITHDRAWN, "")),
        (known(SENT, WM, WM, REMOVED), None),
        (known(QUEUED, WM, WM, REMOVED), (DELETED, QUEUED, WM)),
        (known(FAILED, WM, WM, DELETED), (DELETED, QUEUED, WM)),
        (known(SENT, WM, WM, DELETED), None),
    ],
)
def test_a_deletion_is_told_to_those_that_can_hear_of_it(old: Delivery, owed: Found) -> None:
    """protocols.md B-62: once, whatever the post last linked to."""
    assert found(changes(S, [old], [T], UPDATES, gone=True)) == owed


def test_a_link_that_is_new_is_owed_as_it_is_written_and_once() -> None:
    owed = changes(S, [], [T, T + "#a", T], UPDATES)
    assert owed == [Delivery(source=S, target=T), Delivery(source=S, target=T + "#a")]


@pytest.mark.parametrize(
    ("delivery", "protocol"),
    [(known(SENT, WM, WM), WM), (known(UNKNOWN, PB), PB), (known(REFUSED, PB), ""), (known(NONE, None, WM), WM)],
)
def test_who_may_have_heard_counts_as_told(delivery: Delivery, protocol: str) -> None:
    assert heard(delivery) == protocol


def at(host: str, *numbers: int) -> list[str]:
    return [f"https://{host}.example/{number}" for number in numbers]


def recorded(*targets: str, outcome: Outcome = QUEUED, told: str = "") -> list[Delivery]:
    return [Delivery(source=S, target=target, id="7", outcome=outcome, told=told) for target in targets]


#: what is known, the links that there are, and those that are not told of, where 4 are and 2 on one host
MANY: dict[str, tuple[list[Delivery], list[str], list[str]]] = {
    "none": ([], [], []),
    "as many as are told": ([], [*at("a", 1, 2), *at("b", 1, 2)], []),
    "one more": ([], [*at("a", 1, 2), *at("b", 1, 2), *at("c", 1)], at("c", 1)),
    "as many as are told on one host": ([], at("a", 1, 2), []),
    "one more on it": ([], at("a", 1, 2, 3), at("a", 3)),
    "a host however it is written": ([], [*at("a", 1, 2), "https://A.example:8443/x"], ["https://A.example:8443/x"]),
    "another host comes after": ([], [*at("a", 1, 2, 3), *at("b", 1)], at("a", 3)),
    "the first come first": ([], [*at("b", 1), *at("a", 1, 2, 3), *at("c", 1, 2)], [*at("a", 3), *at("c", 2)]),
    "who has a place keeps it": (recorded(*at("a", 3, 4)), at("a", 1, 2, 3, 4), at("a", 1, 2)),
    "more have a place than are told": (recorded(*at("a", 1, 2, 3, 4, 5)), at("a", 1, 2, 3, 4, 5, 6), at("a", 6)),
    "who did not listen has a place": (recorded(*at("a", 3), outcome=NONE), at("a", 1, 2, 3), at("a", 2)),
    "a link that went leaves its place": (recorded(*at("a", 1, 2)), at("a", 2, 3), []),
    "who was told has one, whatever became of the link": (
        recorded(*at("a", 3), outcome=WITHDRAWN, told=WM),
        at("a", 1, 2, 3),
        at("a", 2),
    ),
    "who had none has none": (recorded(*at("a", 3), outcome=WITHDRAWN), at("a", 1, 2, 3), at("a", 3)),
}  # fmt: skip


@pytest.mark.parametrize(("before", "targets", "untold"), MANY.values(), ids=MANY)
def test_of_many_links_some_are_told(before: list[Delivery], targets: list[str], untold: list[str]) -> None:
    assert list(too_many(before, targets, 4, 2)) == untold


def test_a_link_that_is_one_too_many_is_recorded_with_why() -> None:
    one, two = at("a", 1, 2)
    untold = too_many([], [one, two], 4, 1)
    first, second = changes(S, [], [one, two], UPDATES, untold=untold)
    assert (first.outcome, second.outcome) == (QUEUED, WITHDRAWN)
    assert second.detail == "no more than 1 of a post's links to a.example are told"
    assert too_many([], [one, two], 1, 2) == {two: "no more than 1 of a post's links are told"}
    before = [replace(first, id="1"), replace(second, id="2")]
    assert changes(S, before, [one, two], UPDATES, untold=untold) == [], "it is said once"
    gone = replace(known(WITHDRAWN), detail="the link is gone")
    (again,) = changes(S, [gone], [T], UPDATES, untold={T: "why"})
    assert (again.outcome, again.detail) == (WITHDRAWN, "why")
