"""What the team is told of a change, from the question to its end. Each is one message of the change's thread."""

from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.core.change import Change, Direction, Rung, State
from autoscaler.core.durations import format_duration
from autoscaler.report.messages import Button, Message, Tone, Verb
from autoscaler.report.units import format_plan, monthly, monthly_step

SNOOZES = (("for 1 hour", "1h"), ("for 8 hours", "8h"), ("for a day", "24h"))


def started(change: Change) -> Message:
    """The first message of a change's thread: what, why, what it costs, what happens next."""
    urgency = "Emergency: scaling" if change.emergency else "Scaling"
    title = f"{urgency} {change.direction} {change.service}: {change.origin.tier} → {change.target.tier}"
    if change.follows:
        title = f"{change.service}: the env values follow its plan ({change.target.tier})"
    return Message(
        title=title,
        tone=Tone.PROGRESS,
        lines=tuple(
            line for line in (change.reason, _sentence(change.advice), _down(change), _next_steps(change)) if line
        ),
        fields=_step_fields(change),
        context=_context(change),
    )


def asked(change: Change, *, rests: bool = False) -> Message:
    """The first message of a change that waits for a yes: what, why, what it costs, and what happens if nobody answers.

    `rests`: it is answered or snoozed, so that it does not wait now.
    """
    because = () if change.question is None else change.question.because
    lines = (
        change.reason,
        _sentence(change.advice),
        *(f"• {words}" for words in because),
        _down(change),
        "" if rests else _if_nobody(change),
    )
    return Message(
        title=f"{change.service}: {change.origin.tier} → {change.target.tier}?",
        tone=Tone.ASK,
        lines=tuple(line for line in lines if line),
        fields=_step_fields(change),
        context=f"{_context(change)} · autoscaler approve {change.id}",
        buttons=(
            Button(Verb.APPROVE, f"Approve {monthly(change.target.monthly)}", change.id),
            Button(Verb.REJECT, "Reject", change.id),
            Button(Verb.SNOOZE, "Snooze", change.id, SNOOZES),
            Button(Verb.WHY, "Why?", change.id),
        ),
    )


def asked_again(change: Change) -> Message:
    """Its snooze is over. In its thread, and seen outside it; the first message has its buttons again."""
    return Message(f"Asked again: {change.service}, {change.origin.tier} → {change.target.tier}?", Tone.ASK)


def _if_nobody(change: Change) -> str:
    asked = change.question
    if asked is None:
        return ""
    of_two = " Two people have to say yes." if asked.needed > 1 else ""
    then = "I go ahead" if asked.on_expiry == "proceed" else "nothing is changed"
    return f"If nobody answers within {format_duration(asked.expires)}, {then}.{of_two}"


def _down(change: Change) -> str:
    return "It has a disk, so it is a few minutes down while this is deployed." if change.downtime else ""


def progress(change: Change, text: str) -> Message:
    """One step of a change, as one line in its thread."""
    return Message(title=text, tone=Tone.BAD if change.walking_back else Tone.PROGRESS)


def given_back(change: Change, deploy: str, commit: str) -> Message:
    """Our deploy had cancelled somebody else's, which began in the same moment."""
    return Message(
        title=f"My deploy had cancelled yours of commit {commit[:7]} ({deploy}): I asked for it again",
        tone=Tone.NOTICE,
        lines=(f"It began in the same moment as mine of change {change.id}, and Render runs one at a time.",),
    )


def live(change: Change) -> Message:
    """Its deploy is live, and the soak begins."""
    after = "" if change.live_at is None else f" after {format_duration(change.live_at - change.created_at)}"
    soak = f"I look at it for {format_duration(change.soak)}, and go back if it fails." if change.soak else ""
    return Message(
        title=f"Live{after}: {change.service} runs on {_plan(change.target)} ({change.target.tier})",
        tone=Tone.PROGRESS,
        lines=(soak,) if soak else (),
    )


def stuck(change: Change, words: str, stuck: int) -> Message:
    """Render does not let it go on. `stuck`: for how long, ms."""
    return Message(
        title=f"{change.service}: no step forward for {format_duration(stuck)}",
        tone=Tone.BAD,
        lines=(words, "I go on trying, once a minute. What runs is not touched by that."),
        context=_context(change),
    )


def ended(change: Change) -> Message:
    """How a change ended, what runs now, and what a person should do, if anything. For the team the soak's end is the end.

    Raises ValueError for a change that has not ended.
    """
    is_withdrawn = change.was_only_asked and change.state is State.SUPERSEDED
    ending = _WITHDRAWN if is_withdrawn else _ENDINGS.get(change.state)
    if ending is None:
        raise ValueError(f"change {change.id} has not ended: it is {change.state}")
    running = _running(change)
    lines = (_sentence(change.outcome), _advice(change))
    overtaken = change.state is State.SUPERSEDED  # what runs then is a person's affair, and not known here
    runs = (("Running now", f"{_plan(running)} ({running.tier})"), ("Cost", _cost_now(change, running)))
    end = change.live_at or change.ended_at
    took = () if end is None or change.was_only_asked else (("Took", format_duration(end - change.created_at)),)
    return Message(
        title=ending.title.format(service=change.service, plan=_plan(running), tier=running.tier),
        tone=ending.tone,
        lines=tuple(line for line in lines if line),
        fields=(*(() if overtaken else runs), *took),
        context=_context(change),
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    title: str
    tone: Tone
    advice: str


_ENDINGS = MappingProxyType(
    {
        State.WATCHING: _Ending("Done: {service} runs on {plan} ({tier})", Tone.GOOD, "Nothing to do."),
        State.DONE: _Ending("Done: {service} runs on {plan} ({tier})", Tone.GOOD, "Nothing to do."),
        State.UNDONE: _Ending(
            "Undone: {service} runs on {plan} ({tier}) again",
            Tone.BAD,
            "Look at the deploy and its logs on Render. I try again in ten minutes at the earliest, if the rules still ask for it.",
        ),
        State.FAILED: _Ending(
            "Failed: {service} is still on {plan} ({tier})",
            Tone.BAD,
            "Look at the service on Render; `autoscaler check` says what I would do now.",
        ),
        State.SUPERSEDED: _Ending(
            "Stopped: something newer took over on {service}",
            Tone.NOTICE,
            "Nothing to do: I go on from what is there now.",
        ),
        State.EXPIRED: _Ending(
            "Expired: nobody answered about {service}",
            Tone.NOTICE,
            "Nothing was changed. If it stays so, I ask again in a day.",
        ),
        State.REJECTED: _Ending(
            "Rejected: {service} stays on {plan} ({tier})",
            Tone.NOTICE,
            "Nothing was changed. I do not ask again for a week, unless the policy is edited or the load grows much.",
        ),
    }
)


_WITHDRAWN = _Ending("Withdrawn: nobody needs to answer about {service}", Tone.NOTICE, "Nothing was changed.")


def _advice(change: Change) -> str:
    if change.state is State.WATCHING and change.watch:
        return f"Nothing to do. I keep an eye on it for {format_duration(change.watch)} from when it went live."
    if change.state is State.FAILED and change.walking_back:
        return (
            f"Render may hold half of it, and the next deploy would run that: set plan {change.origin.plan} "
            f"and the env values of {change.origin.tier} there, then deploy."
        )
    if change.state is State.FAILED and change.follows and change.attempts:
        return "Its values are set, and come with the next deploy; what runs still has the old ones. Look at the deploy, then deploy."
    if change.state is State.UNDONE and change.direction is Direction.DOWN and change.live_at is not None:
        return "Nothing to do: the smaller plan was not enough. I am slower to try it again."
    if change.was_only_asked and change.state is State.SUPERSEDED:
        return _WITHDRAWN.advice
    return _ENDINGS[change.state].advice


def _sentence(text: str) -> str:
    """A capital and a full stop, as far as the words allow: names of metrics stay as they are."""
    words = text.strip()
    if not words:
        return ""
    first, _, rest = words.partition(" ")
    capital = first[:1].upper() + first[1:] if first.isalpha() else first
    end = "" if words[-1] in ".!?…" else "."
    return f"{capital}{' ' if rest else ''}{rest}{end}"


def _plan(rung: Rung) -> str:
    return format_plan(rung.plan, rung.instances)


def _running(change: Change) -> Rung:
    """What serves now: the target once it went live, unless the way back went live as well."""
    return change.target if change.live_at is not None and change.state is not State.UNDONE else change.origin


def _cost_now(change: Change, running: Rung) -> str:
    if running is change.target:
        return monthly_step(change.origin.monthly, running.monthly)
    return f"{monthly(running.monthly)}, as before"


def _step_fields(change: Change) -> tuple[tuple[str, str], ...]:
    return (
        ("Plan", f"{_plan(change.origin)} → {_plan(change.target)}"),
        ("Cost", monthly_step(change.origin.monthly, change.target.monthly)),
        *_env_field(change),
    )


def _env_field(change: Change) -> tuple[tuple[str, str], ...]:
    """Only what the policy itself holds: a value that somebody set on Render is not ours to show."""
    before, after = change.origin.env, change.target.env
    changed = [name for name in after if before.get(name) != after[name]]
    if not changed:
        return ()
    return (
        (
            f"Env ({len(changed)})",
            "\n".join(f"{name}: {change.origin.shown(name)} → {change.target.shown(name)}" for name in changed),
        ),
    )


def _next_steps(change: Change) -> str:
    order = "plan, env values" if change.direction is Direction.UP else "env values, plan"
    soak = f", then {format_duration(change.soak)} of watching" if change.soak else ""
    return f"Next: {order}, one deploy{soak}. I go back by myself if it fails."


def _context(change: Change) -> str:
    asked_by = "" if change.requested_by == "policy" else f" · asked for by {change.requested_by}"
    return f"change {change.id}{asked_by}"
