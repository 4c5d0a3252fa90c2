"""`autoscaler resume SERVICE`: the pause is over."""

import asyncio
from pathlib import Path

from autoscaler.cli.by_hand import ServiceName, WhoOption, whoever
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import receivers, told_to_the_team


def resume(
    service: ServiceName, who: WhoOption = None, policies: PoliciesOption = POLICIES, *, as_json: JsonOption = False
) -> None:
    """End the pause of a service (or of `all`)."""
    resumed = asyncio.run(_resume(service, policies, whoever(who)))
    if as_json:
        print_json([{"service": name, "was_paused": was} for name, was in resumed])
        return
    for name, was in resumed:
        out.print(f"{name}: goes on." if was else f"{name} was not paused.", markup=False)


async def _resume(service: str, policies: Path, by: str) -> list[tuple[str, bool]]:
    resumed = []
    async with receivers(service, policies) as (store, found, now):
        for one in found:
            pause = await store.paused(one.service_id)
            if pause is not None:
                await store.resume(one.service_id)
                lines = (f"By {by}. {pause.who} had paused it{f': {pause.note}' if pause.note else ''}.",)
                await told_to_the_team(store, one, f"resume:{now}", f"{one.service}: goes on", lines, now)
            resumed.append((one.service, pause is not None))
    return resumed
