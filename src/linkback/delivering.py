"""From a delivery that is owed to how it ended.

Rule: a failure is a row that says why, never an exception; what may have arrived is known before it is sent, and is
told again in the same language only (protocols.md B-11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial

from linkback import logs, owing, sender
from linkback.discoveries import Discoveries
from linkback.errors import FetchError, LinkbackError, Reason, SourceGone
from linkback.hooks import Hooks, tell
from linkback.model import ARRIVED, Cause, Claim, Delivery, Endpoints, Job, Outcome
from linkback.policy import Outgoing, Retry, wait_for
from linkback.protocols import Protocol
from linkback.protocols.status import UNUSABLE
from linkback.receiver import read_source
from linkback.store import Storage
from linkback.wire import Fetch

log = logs.named(__name__)

#: the line of the log for each delivery that was refused without an answer, with target, source and reason
KEPT_IN = "%s is not told of %s: %s"
#: an answer like "no link there" may come from a cache or a race; asking sooner would meet the same (B-39)
_SECOND_ASK_SECONDS = 60.0
#: an answer that an endpoint is none; from memory, it may have moved since (B-38, B-53)
_STALE = UNUSABLE | {-32601}
#: a host that asks for more has its next turn then all the same; and what limits of our own keep back has failed then
_MOST_REST = 48 * 3600
#: for how long a worker waits for a turn with its job in hand
_PATIENCE = timedelta(seconds=2)


class _Overtaken(Exception):
    """Another worker has the job by now; what it sends must not be sent twice."""


class _Later(Exception):
    """The POST may not leave yet; the job is due again at a time."""

    def __init__(self, due: datetime) -> None:
        super().__init__(due)
        self.due = due


@dataclass(slots=True)
class _Attempt:
    """One attempt at a delivery, the protocols whose endpoint was none before, and those by which a POST has left."""

    job: Job
    owed: Delivery
    none: frozenset[str] = frozenset()
    posted: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Delivering:
    """Makes the deliveries of one site, `name`.

    `lease` is how long a job is held from each of its POSTs on; `pause` lets this thread wait some seconds.
    """

    name: str
    store: Storage
    fetch: Fetch
    outgoing: Outgoing
    retry: Retry
    protocols: Sequence[Protocol]
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    lease: timedelta
    hooks: Hooks = field(default_factory=Hooks)

    @cached_property
    def _none(self) -> dict[tuple[str, int], frozenset[str]]:
        """The protocols whose endpoint was none, of deliveries that wait for the turn of the next."""
        return {}

    @cached_property
    def _discoveries(self) -> Discoveries:
        return Discoveries(self.fetch, self.protocols, self.now)

    @property
    def _gap(self) -> timedelta:
        return timedelta(seconds=self.outgoing.host_seconds)

    def deliver(self, job: Job) -> None:
        """Make one delivery and record how it ended."""
        owed = self._owed(job)
        if owed is None:
            return
        attempt = _Attempt(job, owed, self._none.pop((owed.id, owed.revision), frozenset()))
        try:
            done, known = self._try(attempt)
        except _Overtaken:
            log.warning("the delivery to %s took too long, and is another worker's now", owed.target)
            return
        except _Later as later:
            self._remember(attempt, waits=None)
            self.store.postpone(job, owed, due=later.due, counted=bool(attempt.posted))
            return
        if (wait := self._kept(owed, done)) is not None:
            self._put_off(attempt, done, wait)
            return
        done = replace(
            done, id=owed.id, cause=owed.cause, told=owed.told, revision=owed.revision, attempts=job.attempts
        )
        again = self._again(done)
        if owed.outcome is Outcome.UNKNOWN and not known:
            done = _still_unknown(owed, done, again=again is not None)
        self._log(done, again)
        self.store.finish_delivery(job, done, again=again, rest=self._rest(done))
        if again is None:
            tell(self.hooks.delivery, done)

    def _rest(self, done: Delivery) -> datetime | None:
        """Until when a host is left alone that asked for it; what a limit of ours asks for is between us."""
        if not done.retry_after or done.code is None:
            return None
        return self.now() + timedelta(seconds=min(done.retry_after, _MOST_REST))

    def _kept(self, owed: Delivery, done: Delivery) -> timedelta | None:
        """For how long a delivery waits that a limit of our own kept back; None where none did, or for too long."""
        if done.retry_after is None or done.code is not None or owed.owed is None:
            return None
        return wait_for(done.retry_after, self.now() - owed.owed, timedelta(seconds=_MOST_REST))

    def _put_off(self, attempt: _Attempt, done: Delivery, wait: timedelta) -> None:
        """Have a delivery wait, with the reason, and no attempt made: nobody has it."""
        job, owed = attempt.job, attempt.owed
        self._remember(attempt, waits=done.protocol)
        detail = _after_all(done) if owed.outcome is Outcome.UNKNOWN else done.detail
        log.info("%s waits %.0f s: %s", owed.target, wait.total_seconds(), detail)
        self.store.postpone(job, replace(owed, detail=detail), due=self.now() + wait)

    def _remember(self, attempt: _Attempt, *, waits: str | None) -> None:
        """Note what was posted to and led on to the next language, so that its endpoint is none; not what `waits`."""
        if none := attempt.none.union(attempt.posted) - {waits}:
            self._none[attempt.owed.id, attempt.owed.revision] = none

    def _log(self, done: Delivery, again: datetime | None) -> None:
        if was_kept_in(done):
            log.warning(KEPT_IN, done.target, done.source, done.detail)
            return
        more = f"; next try in {(again - self.now()).total_seconds():.0f} s" if again is not None else ""
        log.info("%s to %s: %s %s%s", done.protocol or "nothing", done.target, done.outcome, done.detail, more)

    def give_up(self, job: Job) -> None:
        """Lay aside a delivery that cannot be made, until a person has it tried again."""
        owed = self._owed(job)
        if owed is None:
            return
        outcome = Outcome.UNKNOWN if owed.outcome is Outcome.UNKNOWN else Outcome.FAILED
        ended = replace(owed, outcome=outcome, detail="an internal error, see the log", attempts=job.attempts, again=0)
        self.store.finish_delivery(job, ended, parked=True)
        tell(self.hooks.delivery, ended)

    def _owed(self, job: Job) -> Delivery | None:
        """The delivery to make; None, and the job has ended, where there is none, or it needs no making any more.

        A worker that was too slow to keep the job may have brought news that it arrived.
        """
        owed = self.store.delivery(job.subject)
        if owed is None:
            log.warning("job %d is for a delivery that no longer exists", job.id)
        if owed is None or owed.outcome in ARRIVED or owed.outcome is Outcome.WITHDRAWN:
            self.store.end(job)
            return None
        return owed

    def _try(self, attempt: _Attempt) -> tuple[Delivery, bool]:
        """One try, and whether it says also what became of one before that may have arrived.

        Who was told before hears again in the same language only (B-64). So does, once, who may have been told, if that
        language takes a repeat; otherwise a receiver could list the source twice (protocols.md B-11).
        """
        owed, told = attempt.owed, owing.heard(attempt.owed)
        protocols = [each for each in self.protocols if each.name not in attempt.none]
        if told:
            protocols = [each for each in self.protocols if each.name == told and (each.updates or each.repeatable)]
            if not protocols:
                return replace(owed, detail="interrupted while it was sent", again=0), False
        # who must wait asks nobody anything meanwhile
        if (due := self.store.ask_turn(owed.target, now=self.now(), gap=self._gap)) is not None:
            raise _Later(due)
        if owed.cause is Cause.DELETED and (still := still_there(self.fetch, owed.source)):
            why = f"{still}: it must answer 410 Gone first"
            log.warning("%s is not told that %s is deleted: %s", owed.target, owed.source, why)
            return replace(owed, outcome=Outcome.FAILED, detail=why), False
        done = self._send(attempt, protocols)
        if owed.outcome is not Outcome.UNKNOWN or owed.told or done.protocol is None or done.code not in _STALE:
            return done, False
        # an endpoint that is none has taken nothing, so the next language speaks (B-9)
        names = [each.name for each in self.protocols]
        other = self._send(attempt, self.protocols[names.index(told) + 1 :])
        return (other, True) if other.protocol else (done, False)

    def _send(self, attempt: _Attempt, protocols: Sequence[Protocol]) -> Delivery:
        """One way from discovery to an answer; once more where what was remembered of the target has changed."""
        owed = attempt.owed
        claim = Claim("", owed.source, owed.target, blog_name=self.name)
        recalled = self._discoveries.recall(owed.target) if owed.cause is Cause.NEW else None
        find = self._discoveries.look if recalled is None else self._discoveries.find
        begin = partial(self._begin_post, attempt)
        done = sender.deliver(self.fetch, claim, protocols, before_post=begin, find=find)
        if recalled is None or done.code not in _STALE or not self._moved(done, recalled):
            return done
        return sender.deliver(self.fetch, claim, protocols, before_post=begin, find=self._discoveries.find)

    def _moved(self, done: Delivery, before: Endpoints) -> bool:
        """Whether the endpoint that was spoken to, looked up anew, is another than the one remembered."""
        protocol = done.protocol or ""
        try:
            return self._discoveries.look(done.target).found.get(protocol) != before.found.get(protocol)
        except FetchError:
            return False

    def _begin_post(self, attempt: _Attempt, protocol: str, endpoint: str) -> None:
        """Have the turn of an endpoint's host, or say when; waits for it once, and not long."""
        for last in (False, True):
            now = self.now()
            turn = self.store.begin_post(
                attempt.job, attempt.owed, protocol, endpoint, now=now, until=now + self.lease, gap=self._gap
            )
            if turn.granted:
                attempt.posted.append(protocol)
                return
            if turn.due is None:
                raise _Overtaken
            if last or not now < turn.due <= now + min(self._gap, _PATIENCE):
                raise _Later(turn.due)
            self.pause((turn.due - now).total_seconds())

    def _again(self, done: Delivery) -> datetime | None:
        now = self.now()
        if done.outcome is Outcome.FAILED:
            return self.retry.due(done.attempts, now, at_least=float(done.retry_after or 0))
        if done.attempts <= done.again:
            return now + timedelta(seconds=max(_SECOND_ASK_SECONDS, float(done.retry_after or 0)))
        return None


def was_kept_in(delivery: Delivery) -> bool:
    """Whether a delivery was refused without an answer, as by settings that do not open its network; `deliver` has
    logged a warning of it then."""
    return delivery.outcome is Outcome.REFUSED and delivery.code is None


def still_there(fetch: Fetch, source: str) -> str:
    """Why a post does not count as deleted; "" where it says that it is (protocols.md B-62, D-26)."""
    try:
        page = read_source(fetch, source)
    except SourceGone as gone:
        return "" if gone.reason is Reason.SOURCE_GONE else gone.detail
    except LinkbackError as error:
        return f"the post cannot be read ({error})"
    return "" if page.says_gone else f"the post answers {page.response.status}"


def _still_unknown(owed: Delivery, tried: Delivery, *, again: bool) -> Delivery:
    """What is known of a delivery that may have arrived before: no more than that, until its receiver answers.

    As long as it is unknown, no other language is tried (protocols.md B-11).
    """
    refused = tried.outcome is Outcome.REFUSED and tried.protocol is not None and tried.code is not None
    if tried.outcome in (*ARRIVED, Outcome.UNKNOWN) or refused:
        return tried
    more = tried.attempts if again else 0
    return replace(owed, detail=_after_all(tried), attempts=tried.attempts, again=more)


def _after_all(tried: Delivery) -> str:
    """What is known of a delivery that may have arrived before it was tried once more."""
    return f"it may have arrived; then {tried.detail}"
