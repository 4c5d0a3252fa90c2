"""What `approve` and `reject` have in common: one person's answer about a change that waits for it."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.by_hand import whoever
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import LONGEST_NOTE, LONGEST_WHO
from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer, expires_at, is_about
from autoscaler.errors import RefusedError, UsageError
from autoscaler.ports import Store
from autoscaler.report.answers import said, then
from autoscaler.report.units import format_time
from autoscaler.settings import load_settings

WaitingChange = Annotated[str, typer.Argument(help="The change's id, or the service that waits.", metavar="CHANGE")]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer."""

    change: Change
    answers: tuple[Answer, ...]
    """All that were given, in order."""


def answer(word: str, who: str | None, reason: str, *, yes: bool, as_json: bool) -> None:
    """Write the answer down; the worker acts on it at the service's next poll."""
    by = whoever(who)
    for value, longest, option in ((by, LONGEST_WHO, "--who"), (reason, LONGEST_NOTE, "--reason")):
        if len(value) > longest:
            raise UsageError(f"{option} has {len(value)} characters: {longest} at most are kept.")
    done = asyncio.run(_answer(word, by, reason, yes=yes))
    if as_json:
        print_json(
            {
                "change": done.change.id,
                "service": done.change.service,
                "from": done.change.origin.tier,
                "to": done.change.target.tier,
                "answers": [
                    {"who": one.who, "yes": one.yes, "at": one.at, "reason": one.reason} for one in done.answers
                ],
            }
        )
        return
    out.print(f"Noted: {by} says {'yes' if yes else 'no'}. {then(done.change, done.answers)}", markup=False)


async def _answer(word: str, who: str, reason: str, *, yes: bool) -> Answered:
    async with opened_store(load_settings()) as store:
        change = await _asked(word, store)
        now = SystemClock().now()
        before = await store.answers(change.id)
        if mine := next((one for one in before if one.who == who), None):
            raise RefusedError(f"{who} said {'yes' if mine.yes else 'no'} already: each answer counts once.")
        await _still_wanted(change, store, now)
        changed, answers = await store.answer(Answer(change.id, who, yes, now, reason))
        if changed is None or changed.state is not State.PROPOSED:
            raise RefusedError(f"{change.id} waits for nobody any more: {said(changed or change, answers, now)}")
        return Answered(changed, tuple(answers))


async def _asked(word: str, store: Store) -> Change:
    """The change of that id, or the one of that service that waits. Raises UsageError and RefusedError."""
    waiting = await store.changes(states=(State.PROPOSED,))
    found = next((one for one in waiting if word in {one.id, one.service, one.service_id}), None)
    if found is not None:
        return found
    if (over := await store.change(word)) is not None:
        answers = await store.answers(over.id)
        raise RefusedError(f"{over.id} waits for nobody: {said(over, answers, SystemClock().now())}")
    names = ", ".join(f"{one.id} ({one.service} {one.origin.tier} → {one.target.tier})" for one in waiting)
    raise UsageError(f"'{word}' waits for no answer. What does: {names or 'nothing at present'}.")


async def _still_wanted(change: Change, store: Store, now: int) -> None:
    """By what the worker saw last."""
    until = expires_at(change.question) if change.question else None
    if until is not None and now >= until:
        raise RefusedError(f"{change.id} has expired at {format_time(until, now)}: nobody had answered by then.")
    last = next((one for one in await store.last_verdicts() if one.service_id == change.service_id), None)
    if last is not None and not is_about(change, last, change.policy_digest):
        raise RefusedError(
            f"{change.service} does not need it any more (now: {last.why.value.replace('_', ' ')}). Nothing to do: the question is withdrawn."
        )
