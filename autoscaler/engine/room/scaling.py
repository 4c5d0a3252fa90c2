"""A change by hand in two steps, since it costs money: what it would do is shown, and one press begins just that."""

import uuid
from dataclasses import dataclass, replace

from autoscaler.core.change import Change
from autoscaler.core.durations import MINUTE
from autoscaler.engine.by_hand import Sight, around, begin, change_to, look, named_tier
from autoscaler.engine.room.approvers import need_approver
from autoscaler.engine.room.desk import Desk, called
from autoscaler.engine.room.known import Known
from autoscaler.errors import RefusedError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Person
from autoscaler.report import messages
from autoscaler.report.messages import Button, Message, Tone, Verb
from autoscaler.report.plan import afterwards, lines

GOOD_FOR = 10 * MINUTE
"""How long a press begins what was shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a press stands for. The change's id is chosen when it is shown, so that a press counts once."""

    change_id: str
    service_id: str
    until: int
    step: str
    """From what to what, as it was shown."""
    tier: str

    @property
    def words(self) -> str:
        """As the button holds it."""
        return " ".join((self.change_id, self.service_id, str(self.until), self.step, self.tier))

    @staticmethod
    def read(words: str) -> "Shown":
        """Raises UsageError for what no button of ours holds."""
        parts = words.split(" ", 4)
        if len(parts) != 5 or not parts[2].isdecimal():
            raise UsageError("This button is none of mine: ask with `/autoscaler scale` again.")
        return Shown(parts[0], parts[1], int(parts[2]), parts[3], parts[4])


async def show(one: Known, tier: str, by: Person, desk: Desk) -> Message:
    """What it would do, with the button that begins it. Raises UsageError, RefusedError, UnavailableError and StoreError."""
    file = await need_approver(one, by, desk.groups)
    desk.need_to_act()
    now = desk.clock.now()
    sight, change = await _change(file, tier, by, desk, f"chg-{uuid.uuid4().hex[:12]}")
    button = Shown(change.id, change.service_id, now + GOOD_FOR, _step(change), tier)
    return Message(
        title=f"{change.service}: {change.origin.tier} → {change.target.tier}?",
        tone=Tone.ASK,
        lines=(
            *(f"{line.sign} {line.what}: {line.text}".strip() for line in lines(change, around(sight, change))),
            afterwards(change, file.policy.guards.respect),
        ),
        context="Nothing is changed until you press. Good for ten minutes.",
        buttons=(Button(Verb.SCALE, f"Scale to {tier}", button.words),),
    )


async def begin_shown(shown: Shown, by: Person, desk: Desk) -> Message:
    """Begin it, if it is still what was shown. Raises UsageError, RefusedError, UnavailableError and StoreError."""
    if await desk.store.change(shown.change_id) is not None:
        raise RefusedError("This has begun already: each press counts once.")
    if desk.clock.now() >= shown.until:
        raise RefusedError("This was shown more than ten minutes ago: ask with `/autoscaler scale` again.")
    file = await need_approver(await desk.service(shown.service_id), by, desk.groups)
    desk.need_to_act()
    sight, change = await _change(file, shown.tier, by, desk, shown.change_id)
    if _step(change) != shown.step:
        raise RefusedError(
            f"{change.service} is on {change.origin.tier} meanwhile: ask with `/autoscaler scale` again."
        )
    await begin(change, sight, desk.store)
    title = f"Noted: {change.service} goes to {change.target.tier}. I begin within seconds, and tell in a thread how it goes."
    return messages.notice(title, tone=Tone.GOOD)


async def _change(file: PolicyFile, tier: str, by: Person, desk: Desk, change_id: str) -> tuple[Sight, Change]:
    now = desk.clock.now()
    sight = await look(file, desk.render, desk.store, now)
    target = named_tier(sight, tier)
    change = change_to(sight, target, called(by), f"asked for by hand: {target.name}", now)
    return sight, replace(change, id=change_id)


def _step(change: Change) -> str:
    """Both ends: the plan and count that are configured, and those that would be."""
    ends = (f"{rung.plan}x{rung.instances}" for rung in (change.origin, change.target))
    return ">".join(ends).replace(" ", "_")
