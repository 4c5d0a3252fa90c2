"""Slash commands. Who reads a service's channel may ask about it and complain; what changes something is for approvers."""

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core.change import OPEN, State
from autoscaler.core.durations import format_duration, parse_duration
from autoscaler.core.facts import Pause
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import Told
from autoscaler.engine.room import telling
from autoscaler.engine.room.approvers import is_approver, need_approver
from autoscaler.engine.room.desk import Desk, called
from autoscaler.engine.room.known import Known, choose, only, receiver
from autoscaler.engine.room.scaling import show
from autoscaler.errors import OutsideError, RefusedError, UsageError
from autoscaler.ports import Said
from autoscaler.report import messages, pauses
from autoscaler.report.answers import waits
from autoscaler.report.explain_message import explanation_message, short_status
from autoscaler.report.messages import Message, Tone
from autoscaler.report.text import one_line

COMPLAINT = "complaint"
SHORTEST_COMPLAINT = 3
"""Characters: an empty one would be a slip of the thumb."""


_NONE_HERE = (
    "No service reports to this channel: `notify: {slack: '#channel'}` in a policy says where it does. "
    "For a private channel it has to be the channel's id."
)
_HOW = "Its question in the channel has the buttons."
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("approve", "reject", "snooze"), "The question itself has a button for that."),
    "explain": "Here it is `why`.",
    **dict.fromkeys(
        ("undo", "repair", "history", "cost", "doctor"), "That one is for a shell, where the bot's database is."
    ),
}
"""Words that somebody knows from the buttons or from the command line."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word behind `/autoscaler`."""

    form: str
    """How it is typed, as `help` shows it."""
    what: str
    do: Callable[[Said, str], Awaitable[Message]]


class Commands:
    """Answers each; `help` shows them in this order."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._all: Mapping[str, Command] = {
            "status": Command("status [service]", "what runs, what it costs, what I decided", self._status),
            "why": Command("why [service]", "every rule and every guard, with its numbers", self._why),
            "pause": Command("pause [service] [2h]", "hands off, for a while or until it is resumed", self._pause),
            "resume": Command("resume [service]", "the pause is over", self._resume),
            "scale": Command("scale service tier", "a change by hand: shows what it would do, then asks", self._scale),
            COMPLAINT: Command(
                "complaint [service:] text", "a customer complained; each of you counts once", self._complain
            ),
            "help": Command("help", "this", self._help),
        }

    async def answer(self, said: Said) -> Message:
        """Raises UsageError, RefusedError, UnavailableError and StoreError."""
        word, _, rest = said.text.strip().partition(" ")
        command = self._all.get(word.lower() or "help")
        if command is None:
            near = difflib.get_close_matches(word.lower(), self._all, n=1)
            hint = _ELSEWHERE.get(word.lower()) or (f"Did you mean `{near[0]}`?" if near else "")
            known = "`/autoscaler help` shows all."
            raise UsageError(" ".join(filter(None, (f"There is no command '{one_line(word)[:40]}'.", hint, known))))
        return await command.do(said, rest.strip())

    async def _help(self, _said: Said, _rest: str) -> Message:
        lines = tuple(f"/autoscaler {one.form}: {one.what}" for one in self._all.values())
        more = "Pausing, resuming and scaling are for the approvers that the policy names."
        return Message("What I answer", Tone.NOTICE, (*lines, more))

    async def _status(self, said: Said, rest: str) -> Message:
        now = self._desk.clock.now()
        seen = (await self._one(said, rest),) if rest else await self._seen_by(said)
        if not seen:
            raise UsageError(_NONE_HERE)
        lines = [line for one in seen for line in await self._status_of(one, now)]
        return Message("Status", Tone.NOTICE, tuple(lines), context=await self._worker(now))

    async def _status_of(self, one: Known, now: int) -> list[str]:
        if one.verdict is None:
            return [f"{one.name}: no worker has looked at it yet."]
        store, service_id = self._desk.store, one.verdict.service_id
        lines = [short_status(await self._desk.explain(one))]
        lines += [
            f"Under way: {change.origin.tier} → {change.target.tier}, {change.state} ({change.id})"
            for change in await store.changes(service_id, states=sorted(OPEN))
        ]
        lines += [waits(change, now, _HOW) for change in await store.changes(service_id, states=(State.PROPOSED,))]
        pause = await store.paused(service_id)
        if pause is not None and (pause.until is None or now < pause.until):
            lines.append(pauses.sentence(one.name, pause, now))
        return lines

    async def _worker(self, now: int) -> str:
        beats = await self._desk.store.heartbeats()
        if not beats:
            return "no worker has run yet"
        dry = ", in dry run: nothing is changed" if beats[0].dry_run else ""
        return f"worker: last sign of life {format_duration(now - beats[0].at)} ago{dry}"

    async def _why(self, said: Said, rest: str) -> Message:
        return explanation_message(await self._desk.explain(await self._one(said, rest)))

    async def _pause(self, said: Said, rest: str) -> Message:
        words = rest.split()
        span = _duration(words[-1]) if words else None
        try:
            one = await self._approved(said, " ".join(words[:-1] if span else words))
        except UsageError as error:
            if len(words) < 2 or span:
                raise
            raise UsageError(f"{error} A time is written as one word, such as 30m, 2h or 1d.") from None
        to, now = receiver(one), self._desk.clock.now()
        made = Pause(to.service_id, now, now + span if span else None, down_only=False, who=called(said.by))
        await telling.pause(to, made, self._desk.store)
        return messages.notice(
            f"{to.service}: paused{telling.how_long(made)}. What has begun is finished.", tone=Tone.GOOD
        )

    async def _resume(self, said: Said, rest: str) -> Message:
        one = await self._approved(said, rest)
        to = receiver(one)
        was = await telling.resume(to, called(said.by), self._desk.store, self._desk.clock.now())
        return messages.notice(f"{to.service} goes on." if was else f"{to.service} was not paused.", tone=Tone.GOOD)

    async def _scale(self, said: Said, rest: str) -> Message:
        words = rest.split()
        if len(words) != 2:
            raise UsageError(
                "To which tier? `/autoscaler scale service tier`, such as `/autoscaler scale my-api scaled`."
            )
        return await show(await self._one(said, words[0]), words[1], said.by, self._desk)

    async def _complain(self, said: Said, rest: str) -> Message:
        """Of somebody who reads the service's channel: complaints may cost money."""
        seen = await self._seen_by(said)
        if not seen:
            raise UsageError(_NONE_HERE)
        word, colon, text = rest.partition(":")
        named = next((one for one in seen if colon and word.strip() in one.words), None)
        one, text = (named, text) if named else (only(seen, "`/autoscaler complaint service: text`"), rest)
        if len(text.strip()) < SHORTEST_COMPLAINT:
            raise UsageError("What is it about? `/autoscaler complaint the checkout is slow`.")
        to = receiver(one)
        metric = telling.metric_of(to, COMPLAINT, Kind.COUNTED, "counter")
        note = one_line(f"{said.by.name}: {text.strip()}")[: telling.LONGEST_NOTE]
        await telling.tell(
            to, Told(0, metric.name, who=said.by.id, note=note), self._desk.store, self._desk.clock.now()
        )
        conditions = one.file.policy.conditions() if one.file else ()
        rules = ", ".join(dict.fromkeys(rule.text for rule in conditions if rule.metric.name == metric.name))
        counts = (
            f"Its policy acts on {rules}, counting each of you once." if rules else "No rule of its policy counts them."
        )
        return Message(f"Noted for {to.service}, thank you.", Tone.GOOD, (counts,))

    async def _approved(self, said: Said, word: str) -> Known:
        """The service that is meant, for one of its approvers. Raises RefusedError for anybody else."""
        one = await self._one(said, word)
        await need_approver(one, said.by, self._desk.groups)
        return one

    async def _one(self, said: Said, word: str) -> Known:
        """The service of that name, or the only one that they may see. Raises UsageError and RefusedError."""
        seen = await self._seen_by(said)
        if not word and seen:
            return only(seen, "its name behind the command")
        hidden = next((one for one in await self._desk.known() if word in one.words and one not in seen), None)
        if hidden is not None:
            where = self._channel(hidden) or "no channel"
            raise RefusedError(
                f"{hidden.name} reports to {where}: ask me there. (For a private channel, its policy needs the channel's id.)"
            )
        if not seen:
            raise UsageError(_NONE_HERE)
        return choose(seen, word)

    async def _seen_by(self, said: Said) -> Sequence[Known]:
        """What reports to this channel, and wherever they are what they may approve."""
        return [one for one in await self._desk.known() if self._is_here(one, said) or await self._approves(one, said)]

    def _is_here(self, one: Known, said: Said) -> bool:
        return self._channel(one) in {said.at.id, said.at.name, f"#{said.at.name}"}

    def _channel(self, one: Known) -> str | None:
        return (one.file.policy.notify.slack if one.file else None) or self._desk.default_channel

    async def _approves(self, one: Known, said: Said) -> bool:
        try:
            return await is_approver(one, said.by, self._desk.groups)
        except OutsideError:  # a group that can't be read lets nobody in
            return False


def _duration(word: str) -> int | None:
    try:
        return parse_duration(word)
    except ValueError:
        return None
