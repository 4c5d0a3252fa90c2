"""`autoscaler repair SERVICE`: plan and env values that belong to different tiers are brought together again."""

import asyncio
from typing import Annotated

import typer

from autoscaler.cli.by_hand import DryRunOption, Manner, ServiceName, WhoOption, Wish, YesOption, change_by_hand
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.core.plans import same_plan
from autoscaler.engine.by_hand import Sight
from autoscaler.errors import RefusedError
from autoscaler.ports import Store


def repair(
    service: ServiceName,
    to: Annotated[
        str | None, typer.Option("--to", help="The tier; by default the one of the plan that is configured.")
    ] = None,
    who: WhoOption = None,
    policies: PoliciesOption = POLICIES,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a half-changed service whole: all env values of one tier on its plan, in one deploy."""

    async def wish(sight: Sight, _store: Store) -> Wish:
        tiers, seen = sight.managed.policy.tiers, sight.seen
        named = (
            [tier for tier in tiers if tier.name == to]
            if to
            else [tier for tier in tiers if same_plan(tier.plan, seen.plan)]
        )
        if not named:
            names = ", ".join(tier.name for tier in tiers)
            raise RefusedError(f"{seen.plan} is the plan of no tier of {seen.name}: say which with --to ({names}).")
        target = next((tier for tier in named if tier.instances == seen.instances), named[0])
        return Wish(target, "plan and env values are brought together again")

    asyncio.run(change_by_hand(service, policies, Manner(who, dry_run, yes, as_json), wish))
