"""`autoscaler undo SERVICE`: back to the tier before the last change."""

import asyncio

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
from autoscaler.core.change import State
from autoscaler.engine.by_hand import AS_FOUND, Sight
from autoscaler.errors import RefusedError
from autoscaler.ports import Store


def undo(
    service: ServiceName,
    reason: ReasonOption = "",
    who: WhoOption = None,
    policies: PoliciesOption = POLICIES,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take the last change of a service back, whoever asked for it. To undo an undo is to go forward again."""

    async def wish(sight: Sight, store: Store) -> Wish:
        done = await store.changes(sight.seen.id, states=[State.WATCHING, State.DONE], limit=20)
        last = next((change for change in done if not change.follows), None)
        if last is None:
            raise RefusedError(
                f"Nothing was changed on {sight.seen.name} that could be undone. `autoscaler scale` takes it to any tier."
            )
        if last.origin.tier == AS_FOUND:
            raise RefusedError(
                f"Before {last.id}, {sight.seen.name} had a plan and values that are no tier of its policy: there is none to go back to. "
                "`autoscaler scale` takes it to one."
            )
        target = sight.managed.policy.tier(last.origin.tier)
        if target is None:
            raise RefusedError(
                f"Before {last.id}, {sight.seen.name} ran on '{last.origin.tier}' ({last.origin.plan}), which is no tier of its policy any more. "
                "`autoscaler scale` takes it to one that is."
            )
        return Wish(
            target, reason or f"{last.id} ({last.origin.tier} → {last.target.tier}, {last.requested_by}) is undone"
        )

    asyncio.run(change_by_hand(service, policies, Manner(who, dry_run, yes, as_json), wish))
