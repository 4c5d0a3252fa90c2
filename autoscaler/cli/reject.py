"""`autoscaler reject CHANGE`: no to a change that waits for a yes."""

from typing import Annotated

import typer

from autoscaler.cli.answering import AnswererOption, WaitingChange, answer
from autoscaler.cli.options import JsonOption


def reject(
    change: WaitingChange,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a few words: the team reads it.")] = "",
    who: AnswererOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say no to a change that waits for a yes. It is not asked about again for a week, unless its policy is edited or the load grows by a quarter."""
    answer(change, who, reason, yes=False, as_json=as_json)
