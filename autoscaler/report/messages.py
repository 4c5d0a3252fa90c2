"""What the team is told: an event becomes a message without a channel's markup; Slack, a webhook and the terminal dress it.

Read each as somebody on a phone at 3 a.m.: the title says what, the first line why, the fields what it costs; then what happens
next, or what to do.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from autoscaler.core.evaluate import Role
from autoscaler.core.guards import Verdict
from autoscaler.core.policy import Alert, AtLeast
from autoscaler.core.why import Why
from autoscaler.report.reason_chart import Chart
from autoscaler.report.sentences import blocker_sentence, condition_phrase, reason_sentence
from autoscaler.report.units import format_relative, format_time, monthly_step


class Tone(StrEnum):
    """How a message feels; decides its colour and sign."""

    NOTICE = "notice"
    PROGRESS = "progress"
    GOOD = "good"
    BAD = "bad"
    ASK = "ask"


SIGNS = MappingProxyType({Tone.NOTICE: "💬", Tone.PROGRESS: "🔧", Tone.GOOD: "✅", Tone.BAD: "🚨", Tone.ASK: "✋"})
"""One sign a tone, each two columns wide in every terminal."""


class Verb(StrEnum):
    """What a button asks for."""

    APPROVE = "approve"
    REJECT = "reject"
    SNOOZE = "snooze"
    WHY = "why"
    SCALE = "scale"
    """Begin the change by hand that was shown."""
    GO_LIVE = "go_live"
    """Let a policy that only observes act."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press, where the channel has buttons."""

    verb: Verb
    label: str
    subject: str
    """What it is about: a change's id, a service's."""
    choices: tuple[tuple[str, str], ...] = ()
    """Label and value of each, where one has to be chosen."""


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text everywhere: names and values in it may be anything, the channel's adapter escapes them."""

    title: str
    tone: Tone
    lines: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    """Label and value pairs: cost, from, to …"""
    context: str = ""
    """Small print: change id, policy, time."""
    buttons: tuple[Button, ...] = ()
    chart: Chart | None = None
    """How it came to this, where the channel shows pictures."""


def held(verdict: Verdict) -> Message:
    """Something is asked for and does not happen: what, why, what stands in the way, and what a person can do."""
    step = (
        f"{verdict.tier or '?'} → {verdict.target}" if verdict.target else f"{verdict.ask} from {verdict.tier or '?'}"
    )
    asks = any(blocker.why.needs_a_person for blocker in verdict.blockers)
    if any(blocker.why is Why.MODE_OBSERVE for blocker in verdict.blockers):
        title, tone = f"{verdict.service}: I would scale {verdict.ask}, {step}", Tone.NOTICE
    elif asks:
        title, tone = f"{verdict.service} needs you: {step} is held", Tone.ASK
    else:
        title, tone = f"{verdict.service}: {step} is held", Tone.NOTICE
    reason = reason_sentence(verdict)
    return Message(
        title=title,
        tone=tone,
        lines=(
            *((reason,) if reason else ()),
            *(f"• {blocker_sentence(blocker, verdict.at)}" for blocker in verdict.blockers),
        ),
        fields=(*_cost_asked(verdict), *_earliest(verdict)),
    )


def alert(policy_name: str, rule: Alert, verdict: Verdict) -> Message:
    """An alert of the policy holds: the condition with its value, and what the policy wants done."""
    progress = next(
        (one for one in verdict.progress if one.role is Role.ALERT and one.condition == rule.when.text), None
    )
    wanted = f"Keeps it at least on {rule.do.at_least}." if isinstance(rule.do, AtLeast) else _WANTED[rule.do]
    return Message(
        title=f"{verdict.service}: {rule.name}",
        tone=Tone.ASK if rule.do in {"investigate", "prepare_for_scaling"} else Tone.NOTICE,
        lines=(condition_phrase(progress) if progress else rule.when.text, wanted),
        context=f"policy {policy_name}",
    )


def blind(verdict: Verdict) -> Message:
    """Poll after poll gives no reading: nothing can be decided."""
    return Message(
        title=f"I cannot see {verdict.service}",
        tone=Tone.BAD,
        lines=(
            verdict.blind,
            "Until I can, it stays as it is. `autoscaler check` asks it once more and says what is wrong.",
        ),
    )


def sees_again(verdict: Verdict) -> Message:
    """The first reading after that."""
    return Message(title=f"I see {verdict.service} again", tone=Tone.GOOD)


def notice(title: str, *lines: str, tone: Tone = Tone.NOTICE) -> Message:
    """Anything else that people should know."""
    return Message(title=title, tone=tone, lines=lines)


_WANTED = MappingProxyType(
    {
        "investigate": "Please look into it: a bigger plan may not be the answer.",
        "prepare_for_scaling": "Growth: prepare the next tier, nothing is changed yet.",
        "notify": "For your information.",
    }
)


def _cost_asked(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    if verdict.monthly_now is None or verdict.monthly_then is None:
        return ()
    return (("Cost", monthly_step(verdict.monthly_now, verdict.monthly_then)),)


def _earliest(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    if verdict.not_before is None:
        return ()
    at = f"{format_time(verdict.not_before, verdict.at)} ({format_relative(verdict.not_before, verdict.at)})"
    return (("Earliest", at),)
