"""The control room: what people press and type, checked against who they are and what is so now. Nothing here decides about a tier.

What it writes are rows that the worker of the service looks at in its next pass, so it does not matter which worker hears of it.
"""

from autoscaler.core.change import Change
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.durations import parse_duration
from autoscaler.core.facts import GoneLive
from autoscaler.core.policy import Mode
from autoscaler.engine.room import answering
from autoscaler.engine.room.approvers import need_approver
from autoscaler.engine.room.commands import Commands
from autoscaler.engine.room.desk import Desk, called
from autoscaler.engine.room.scaling import Shown, begin_shown
from autoscaler.errors import RefusedError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Event, EventKind, Person, Press, Reply, Said
from autoscaler.report import messages
from autoscaler.report.answers import then
from autoscaler.report.change_messages import SNOOZES
from autoscaler.report.explain_message import explanation_message
from autoscaler.report.messages import Message, Tone, Verb
from autoscaler.report.units import format_time


class ControlRoom:
    """Implements ports.Room."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._commands = Commands(desk)

    async def said(self, said: Said) -> Message:
        """Answer a command."""
        return await self._commands.answer(said)

    async def allow(self, press: Press) -> Message:
        """Somebody is about to say why not: are they asked at all, and does it still wait?"""
        change = await self._asked_of(press)
        return messages.notice(f"{change.service} stays on {change.origin.tier}", change.reason)

    async def restate(self, press: Press) -> None:
        """Only what has no buttons any more: the question itself is edited when it ends."""
        if press.verb in {Verb.APPROVE, Verb.REJECT, Verb.SNOOZE}:
            await answering.restate(press.subject, self._desk.store, self._desk.clock.now())

    async def pressed(self, press: Press) -> Reply:
        """Do it, and say what came of it."""
        match press.verb:
            case Verb.APPROVE | Verb.REJECT:
                return await self._answer(press)
            case Verb.SNOOZE:
                return Reply(await self._snooze(press))
            case Verb.WHY:
                return Reply(await self._why(press), is_over=False)
            case Verb.SCALE:
                return Reply(await begin_shown(Shown.read(press.subject), press.by, self._desk))
            case Verb.GO_LIVE:
                return Reply(await self._go_live(press))

    async def _asked_of(self, press: Press) -> Change:
        """The change that waits, if it waits for the one who pressed."""
        change = await answering.asked(press.subject, self._desk.store)
        await need_approver(await self._desk.service(change.service_id), press.by, self._desk.groups)
        return change

    async def _answer(self, press: Press) -> Reply:
        change, now = await self._asked_of(press), self._desk.clock.now()
        word = Answer(change.id, press.by.id, press.verb is Verb.APPROVE, now, press.reason, press.by.name)
        done = await answering.answer(change, word, self._desk.store)
        noted = "yes" if word.yes else "no"
        message = messages.notice(f"Noted: you say {noted}. {then(done.change, done.answers)}", tone=Tone.GOOD)
        return Reply(message, is_over=done.is_over)

    async def _snooze(self, press: Press) -> Message:
        if press.choice not in {value for _, value in SNOOZES}:
            raise UsageError("For how long? Choose one of the times of the menu.")
        change, now = await self._asked_of(press), self._desk.clock.now()
        until = now + parse_duration(press.choice)
        await answering.snooze(change, Snooze(change.id, press.by.id, now, until, press.by.name), self._desk.store)
        title = f"Snoozed: I ask again at {format_time(until, now)}, if it still needs it then."
        return messages.notice(title, tone=Tone.GOOD)

    async def _why(self, press: Press) -> Message:
        change = await self._desk.store.change(press.subject)
        if change is None:
            raise RefusedError(f"I know of no change {press.subject[:40]}.")
        return explanation_message(await self._desk.explain(await self._desk.service(change.service_id)))

    async def _go_live(self, press: Press) -> Message:
        service_id, _, digest = press.subject.partition(" ")
        desk, now = self._desk, self._desk.clock.now()
        one = await desk.service(service_id)
        file = await need_approver(one, press.by, desk.groups)
        desk.need_to_act()
        if file.policy.mode is not Mode.OBSERVE:
            raise RefusedError(f"{file.path} says `mode: {file.policy.mode}` already.")
        if file.digest != digest:
            raise RefusedError(
                f"{file.path} was edited since this was asked: the next digest asks about it as it is now."
            )
        await desk.store.go_live(
            GoneLive(service_id, digest, now, called(press.by)), _gone_live(one.name, file, service_id, press.by, now)
        )
        return messages.notice(f"{one.name} is live: from its next poll on I act on it.", tone=Tone.GOOD)


def _gone_live(service: str, file: PolicyFile, service_id: str, who: Person, now: int) -> Event:
    message = messages.notice(
        f"{service} goes live: from now on I act on it",
        f"By {who.name or who.id}. It lasts as long as {file.path} stays as it is: write `mode: act` there, so that the file says so too.",
        "`/autoscaler pause` stops me at any time.",
        tone=Tone.GOOD,
    )
    return Event(f"{service_id}:live:{now}", now, EventKind.NOTICE, service_id, message, file.policy.notify.slack)
