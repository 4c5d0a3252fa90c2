"""`autoscaler resume SERVICE`: the pause is over."""

import asyncio
from pathlib import Path

from autoscaler.cli.by_hand import ServiceName, WhoOption, whoever
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import receivers
from autoscaler.engine.room import telling


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
    async with receivers(service, policies) as (store, found, now):
        return [(one.service, await telling.resume(one, by, store, now) is not None) for one in found]
