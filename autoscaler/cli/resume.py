"""`autoscaler resume SERVICE`: the pause is over."""

import asyncio
import getpass
from pathlib import Path

from autoscaler.cli.by_hand import ServiceName, WhoOption
from autoscaler.cli.options import POLICIES, PoliciesOption
from autoscaler.cli.output import out
from autoscaler.cli.telling import receivers, told_to_the_team


def resume(service: ServiceName, who: WhoOption = None, policies: PoliciesOption = POLICIES) -> None:
    """End the pause of a service (or of `all`)."""
    asyncio.run(_resume(service, policies, (who or getpass.getuser()).strip()))


async def _resume(service: str, policies: Path, by: str) -> None:
    async with receivers(service, policies) as (store, found, now):
        for one in found:
            if await store.paused(one.service_id) is None:
                out.print(f"{one.service} was not paused.", markup=False)
                continue
            await store.resume(one.service_id)
            await told_to_the_team(store, one, f"resume:{now}", f"{one.service}: goes on", (f"By {by}.",), now)
            out.print(f"{one.service}: goes on.", markup=False)
