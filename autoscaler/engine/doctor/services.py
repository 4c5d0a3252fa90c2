"""Each policy's service: does Render know it, and is it one that the bot can look after?"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence

from autoscaler.engine.doctor.finding import Finding, guarded, ok, warning, wrong
from autoscaler.engine.drift import tier_of
from autoscaler.errors import GoneError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import RenderSight, ServiceSeen
from autoscaler.settings import Settings

CHECK = "service"
AT_ONCE = 8
"""Render lets four hundred reads a minute through."""


async def look(
    files: Sequence[PolicyFile], render: RenderSight, settings: Settings, names: dict[str, str], patience: float
) -> list[Finding]:
    """All of them, a few at a time. What each is called on Render goes into `names`."""
    places = asyncio.Semaphore(AT_ONCE)
    found: dict[str, list[PolicyFile]] = defaultdict(list)

    async def one(file: PolicyFile) -> list[Finding]:
        async with places:
            return await guarded(
                CHECK, _one(file, render, settings, found, names), patience, about=file.policy.service.label
            )

    findings = [finding for each in await asyncio.gather(*map(one, files)) for finding in each]
    return [*findings, *_rivals(found)]


async def _one(
    file: PolicyFile, render: RenderSight, settings: Settings, found: dict[str, list[PolicyFile]], names: dict[str, str]
) -> list[Finding]:
    service = file.policy.service
    try:
        seen = await render.find_service(id=service.id, name=service.name)
    except GoneError:
        fix = f"Check the id in {file.place}, and that the key's owner is a member of that service's workspace."
        return [wrong(CHECK, "Render knows no such service, or this key may not see it", fix, about=service.label)]
    found[seen.id].append(file)
    names[service.label] = seen.name
    doubts = list(_doubts(file, seen, settings))
    return doubts or [ok(CHECK, _as_it_is(file, seen), about=seen.name)]


def _as_it_is(file: PolicyFile, seen: ServiceSeen) -> str:
    notes = ["has a disk, so a change means minutes of downtime and asks first"] if seen.has_disk else []
    if seen.render_autoscaling:
        notes.append("its count is left to Render's own autoscaling")
    return "; ".join((f"runs on {seen.plan}, tier {tier_of(file.policy, seen)}", *notes))


def _doubts(file: PolicyFile, seen: ServiceSeen, settings: Settings) -> Iterator[Finding]:
    if seen.suspended:
        fix = "On its page in Render's dashboard: Resume Service, when it should run."
        yield warning(CHECK, "is suspended on Render: nothing is done until it runs", fix, about=seen.name)
    if tier_of(file.policy, seen) is None:
        ladder = ", ".join(_size(tier.plan, tier.instances) for tier in file.policy.tiers)
        text = f"runs on {_size(seen.plan, seen.instances)}, which is no tier of its policy ({ladder}): nothing is done"
        fix = f"Add a tier for it to {file.path}, or set a plan of the ladder on Render."
        yield warning(CHECK, text, fix, about=seen.name)
    obstacle = "has a disk" if seen.has_disk else "has Render's own autoscaling" if seen.render_autoscaling else ""
    if obstacle and any(tier.instances > 1 for tier in file.policy.tiers):
        fix = f"Take `instances:` out of {file.path}, or the obstacle away on Render."
        yield warning(CHECK, f"{obstacle}, and a tier wants more than one instance", fix, about=seen.name)
    if settings.own_service == seen.id:
        text = "is the bot itself: a change of its plan restarts the bot in the middle of that change"
        yield warning(CHECK, text, f"Let nobody scale it: delete {file.path}.", about=seen.name)


def _size(plan: str, instances: int) -> str:
    return plan if instances == 1 else f"{instances} instances of {plan}"


def _rivals(found: dict[str, list[PolicyFile]]) -> Iterator[Finding]:
    """One by id and one by name are seen to be the same only here."""
    for id_, files in found.items():
        if len(files) > 1:
            text = f"{len(files)} policies are for this one service, so only one is used"
            yield wrong(CHECK, text, f"Keep one of {', '.join(file.path for file in files)}.", about=id_)
