"""What people are asked before a change begins, and what their answers come to (design, Deciding 12). Times in ms UTC.

A question is about one change: another rung, target or policy makes it another question. It is asked in the policy's `ask` hours
only, expires from its delivery, and a yes is judged by the facts of the moment in which the change would begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from autoscaler.core.change import Change, Direction, Question, State
from autoscaler.core.durations import DAY, HOUR, format_duration
from autoscaler.core.evaluate import Ask, Progress
from autoscaler.core.guards import Verdict
from autoscaler.core.limits import Approval
from autoscaler.core.policy import Tier
from autoscaler.core.why import Why

WAITED_OUT = frozenset({Why.NOT_DURING})
"""Guards that a yes waits for: it may be given before."""
YES_LASTS = DAY
"""For how long a yes waits for the first minute in which the change may begin."""
WORSE = 1.25
"""So many times the value that asked then is another load: no noise asks again, and twice the load does."""
AFTER_EXPIRY, AFTER_NO = DAY, 7 * DAY
"""How long it is not asked again."""
AFTER_EMERGENCY = HOUR
"""The same for an emergency that people want to be asked about: it is more urgent, and still no question for every poll."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said, once and for all, about one change."""

    change_id: str
    who: str
    """A Slack id, or a name from the command line."""
    yes: bool
    at: int
    reason: str = ""
    name: str = ""
    """How people call them, where `who` is an id."""

    @property
    def called(self) -> str:
        """For people."""
        return self.name or self.who


@dataclass(frozen=True, slots=True)
class Snooze:
    """Somebody wants to be asked again later; of one change the last one counts."""

    change_id: str
    who: str
    at: int
    until: int
    name: str = ""


def question(approval: Approval, verdict: Verdict, target: Tier | None) -> Question | None:
    """What to ask people about what a verdict wants, or None: it needs no yes, a yes would not do, or nobody is asked at this hour."""
    whys = {blocker.why for blocker in verdict.blockers}
    lifts = {why for why in whys if why.lifts_with_a_yes}
    if verdict.ask is Ask.HOLD or target is None or not lifts or whys - lifts - WAITED_OUT:
        return None
    if approval.ask is not None and not verdict.emergency and not approval.ask.contains(verdict.at):
        return None
    above = approval.two_above is not None and target.monthly > approval.two_above
    proceeds = approval.on_expiry == "proceed" and verdict.ask is Ask.UP
    values = {reason.condition: reason.value for reason in verdict.reasons if reason.value is not None}
    on_expiry = "proceed" if proceeds else "cancel"
    return Question(tuple(sorted(lifts)), approval.expires, 2 if above else 1, on_expiry, values=values)


def snoozed(change: Change, snooze: Snooze | None) -> Change:
    """The change once a snooze is heard of: it is asked again later, and has its whole time from then."""
    asked = change.question
    if asked is None or snooze is None or snooze.until == asked.snoozed_until:
        return change
    return replace(change, question=replace(asked, asked_at=None, snoozed_until=snooze.until))


def is_asked_again(asked: Question, approval: Approval, now: int, *, emergency: bool) -> bool:
    """Whether its snooze is over, and nobody has been asked since."""
    is_due = asked.asked_at is None and asked.snoozed_until is not None and now >= asked.snoozed_until
    return is_due and (emergency or approval.ask is None or approval.ask.contains(now))


def expires_at(asked: Question) -> int | None:
    """Until when an answer counts; None as long as nobody can have read the question."""
    return None if asked.asked_at is None else asked.asked_at + asked.expires


def is_about(change: Change, verdict: Verdict, digest: str) -> bool:
    """Whether a verdict still wants just what was asked, and no guard stands in the way now of which nobody was told."""
    asked = change.question
    if asked is None or change.policy_digest != digest or change.direction.value != verdict.ask.value:
        return False
    if (change.origin.tier, change.target.tier, change.emergency) != (verdict.tier, verdict.target, verdict.emergency):
        return False
    return {blocker.why for blocker in verdict.blockers if blocker.why.lifts_with_a_yes} <= set(asked.lifts)


def settled(change: Change, answers: Sequence[Answer], verdict: Verdict, digest: str) -> Change | None:
    """The change as the answers, the hour and the present facts leave it; None: it waits on.

    Approved it is due at once; else it is over, and says why.
    """
    asked, now = change.question, verdict.at
    if asked is None:
        raise ValueError(f"change {change.id} asks nothing")
    if no := next((one for one in answers if not one.yes), None):
        return _over(change, State.REJECTED, f"{no.called} said no" + (f": {no.reason}" if no.reason else ""), now)
    until = expires_at(asked)
    said = sorted({one.who: one for one in answers if until is None or one.at < until}.values(), key=lambda one: one.at)
    is_enough = len(said) >= asked.needed
    if not is_about(change, verdict, digest) or (verdict.goes and not is_enough):
        return _over(change, State.SUPERSEDED, _moot(change, verdict, digest), now)
    if is_enough:
        return _agreed(change, asked, verdict, said[asked.needed - 1].at, " and ".join(one.called for one in said))
    if until is None or now < until:
        return None
    if asked.on_expiry == "proceed" and change.direction is Direction.UP:
        return _agreed(change, asked, verdict, until, "")
    return _over(change, State.EXPIRED, f"nobody answered within {format_duration(asked.expires)}", now)


def _agreed(change: Change, asked: Question, verdict: Verdict, at: int, who: str) -> Change | None:
    now = verdict.at
    in_the_way = [blocker.why for blocker in verdict.blockers if blocker.why not in asked.lifts]
    if not in_the_way:
        agreed = replace(asked, agreed_at=now, agreed_by=who)
        return replace(change, state=State.APPROVED, question=agreed, created_at=now, due_at=now)
    if now - at < YES_LASTS:
        return None
    said = f"{who} said yes" if who else "nobody said no"
    words = ", ".join(why.value.replace("_", " ") for why in in_the_way)
    return _over(change, State.EXPIRED, f"{said}, and for {format_duration(YES_LASTS)} it was held: {words}", now)


def _moot(change: Change, verdict: Verdict, digest: str) -> str:
    if change.policy_digest != digest:
        return "the policy was edited meanwhile"
    if verdict.tier != change.origin.tier:
        return f"it runs on {verdict.tier or 'another plan'} meanwhile"
    if verdict.ask is Ask.HOLD:
        return "nothing asks for it any more" if change.direction is Direction.UP else "the load rose meanwhile"
    if verdict.goes and is_about(change, verdict, digest):
        return "it needs nobody's yes any more"  # it begins by itself: two changes would be one too many
    return "another step is needed now"


def _over(change: Change, state: State, outcome: str, now: int) -> Change:
    return replace(change, state=state, outcome=outcome, ended_at=now, due_at=now)


def declined_until(
    ended: Sequence[Change], target: str, digest: str, reasons: Sequence[Progress] = (), *, emergency: bool = False
) -> tuple[int, str] | None:
    """Until when nobody is asked again about that target, and why; None when they may be. `ended`: the latest first.

    Another policy is another question, and so is a load of which nobody knew then; to an emergency, only a no to another one
    says anything. `reasons`: what asks for it now.
    """
    same = (one for one in ended if one.target.tier == target and one.question is not None)
    asked = (one for one in same if one.state is not State.SUPERSEDED and (one.emergency or not emergency))
    declined = list(takewhile(lambda one: one.policy_digest == digest and one.state in _DECLINED, asked))
    if not declined:
        return None
    # Of conditions that take turns, each was said no to: the newest no that knew of it counts.
    known = [next((one for one in declined if _knew(one, reason)), None) for reason in reasons] or declined[:1]
    rests = [(_rests_until(one), one.outcome) for one in known if one is not None]
    return min(rests) if len(rests) == len(known) else None


_DECLINED = frozenset({State.EXPIRED, State.REJECTED})


def _rests_until(declined: Change) -> int:
    rest = AFTER_NO if declined.state is State.REJECTED else AFTER_EXPIRY
    return (declined.ended_at or 0) + (AFTER_EMERGENCY if declined.emergency else rest)


def _knew(declined: Change, reason: Progress) -> bool:
    """Whether people were told of that condition, with a value that was not much smaller."""
    then = declined.question.values if declined.question else {}
    if declined.direction is Direction.DOWN or not then or reason.value is None:
        return True
    return reason.condition in then and reason.value <= then[reason.condition] * WORSE
