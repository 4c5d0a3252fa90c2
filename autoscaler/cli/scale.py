"""`autoscaler scale SERVICE --to TIER`: a change by hand."""

import asyncio
from typing import Annotated

import typer

from autoscaler.cli.by_hand import (
    DryRunOption,
    Manner,
    ReasonOption,
    ServiceName,
    WhoOption,
    Wish,
    YesOption,
    change_by_hand,
)
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.engine.by_hand import Sight, named_tier
from autoscaler.ports import Store


def scale(  # noqa: PLR0913 - the options of a command are its arguments
    service: ServiceName,
    to: Annotated[str, typer.Option("--to", help="The tier of its policy, however far away on the ladder.")],
    reason: ReasonOption = "",
    who: WhoOption = None,
    policies: PoliciesOption = POLICIES,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change a service's tier by hand: shows the plan, asks, and leaves it to the worker, which watches it and goes back if it fails.

    Goes on in every mode of the policy, and past its guards; afterwards nothing comes down by itself for `guards.respect`.
    """

    async def wish(sight: Sight, _store: Store) -> Wish:
        return Wish(named_tier(sight, to), reason or f"asked for by hand: {to}")

    asyncio.run(change_by_hand(service, policies, Manner(who, dry_run, yes, as_json), wish))
