"""What `approve` and `reject` have in common: one person's answer about a change that waits for it."""

import asyncio
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.by_hand import whoever
from autoscaler.cli.output import out, print_json
from autoscaler.core.consent import Answer
from autoscaler.engine.room import answering
from autoscaler.engine.room.answering import Answered
from autoscaler.engine.room.telling import LONGEST_NOTE, LONGEST_WHO, not_too_long
from autoscaler.report.answers import then
from autoscaler.settings import load_settings

WaitingChange = Annotated[str, typer.Argument(help="The change's id, or the service that waits.", metavar="CHANGE")]

AnswererOption = Annotated[
    str | None, typer.Option("--who", help="Who answers; by default who is logged in. Each person counts once.")
]


def answer(word: str, who: str | None, reason: str, *, yes: bool, as_json: bool) -> None:
    """Write the answer down; the worker acts on it at the service's next poll."""
    by = whoever(who)
    not_too_long(("--who", by, LONGEST_WHO), ("--reason", reason, LONGEST_NOTE))
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
        change = await answering.asked(word, store)
        return await answering.answer(change, Answer(change.id, who, yes, SystemClock().now(), reason), store)
