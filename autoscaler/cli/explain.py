"""`autoscaler explain`: every rule and every guard of a service, from what the worker has recorded."""

import asyncio
from collections.abc import AsyncIterator

from autoscaler.bootstrap import Remembering, remembering
from autoscaler.cli.explained import draw
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption, ServiceArgument, policies_at_hand
from autoscaler.cli.output import err, out, print_json
from autoscaler.core.evaluate import decide
from autoscaler.core.guards import Verdict
from autoscaler.engine.explaining import explained, remembered
from autoscaler.engine.room.known import Known, choose, known_services
from autoscaler.errors import StoreError
from autoscaler.policyfile import PolicyFile
from autoscaler.report import explain as words
from autoscaler.report.explain import Explanation
from autoscaler.report.explain_json import document
from autoscaler.settings import load_settings


def explain(
    service: ServiceArgument = None, policies: PoliciesOption = POLICIES, *, as_json: JsonOption = False
) -> None:
    """Say why: every rule of the rung that runs, how far it is, what stands in the way, the earliest time, what it costs.

    Reads the worker's database (DATABASE_URL) and the policy, and judges them as of now; asks neither Render nor the app.
    """
    asyncio.run(_explain(service, policies_at_hand(policies), as_json=as_json))


async def _explain(service: str | None, files: tuple[PolicyFile, ...], *, as_json: bool) -> None:
    async with remembering(load_settings()) as parts:
        known = known_services(await parts.store.last_verdicts(), files)
        chosen = known if service is None else (choose(known, service),)
        explanations = [one async for one in _explanations(parts, chosen)]
    if as_json:
        print_json([document(one) for one in explanations])
        return
    for explanation in explanations:
        draw(explanation, out)


async def _explanations(parts: Remembering, chosen: tuple[Known, ...]) -> AsyncIterator[Explanation]:
    """Of those that have been looked at; if none has been, StoreError says how to begin."""
    for one in chosen:
        if one.verdict is None:
            continue
        if one.file is None:
            err.print(
                f"No policy at hand is for {one.name}: shown is what the worker last said. -p names its policy.",
                markup=False,
            )
            yield words.explain(one.verdict, plan=await _plan(parts, one.verdict))
        else:
            yield await _now(parts, one.file, one.verdict)
    unseen = [one.name for one in chosen if one.verdict is None]
    if unseen and len(unseen) == len(chosen):
        raise StoreError(
            f"{', '.join(unseen)}: there is a policy, but no worker has looked at it yet. Start `autoscaler run`, "
            f"or look once with `autoscaler check`."
        )


async def _now(parts: Remembering, file: PolicyFile, last: Verdict) -> Explanation:
    """What the worker would say at this moment: its state is rebuilt as it would do it."""
    now = parts.clock.now()
    managed = await remembered(file, last, parts.store, now)
    verdict = await parts.ticker.verdict(managed, decide(managed.state, now))
    return await explained(parts.ticker, managed, verdict, parts.store)


async def _plan(parts: Remembering, verdict: Verdict) -> str | None:
    changes = await parts.store.tier_changes(verdict.service_id)
    return changes[-1].plan if changes else None
