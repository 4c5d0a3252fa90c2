"""`autoscaler cost`: what each tier costs, what was spent, how many users pay for it, what the bot costs and what it saved."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption, ServiceArgument, policies_at_hand
from autoscaler.cli.output import err, out, print_json, print_table
from autoscaler.core.durations import HOUR
from autoscaler.core.observations import Reading
from autoscaler.core.policy import Policy
from autoscaler.core.savings import period, this_and_last_month
from autoscaler.engine.room.known import Known, choose, known_services
from autoscaler.errors import UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Store
from autoscaler.report import cost as report
from autoscaler.report.cost import Bill, BotCost, Revenue
from autoscaler.report.units import format_relative
from autoscaler.settings import Settings, is_there, load_settings

LARGEST = 1e9
"""USD; no user brings more, nor does NaN."""
FRESH = HOUR
"""How far back the app's own word on its revenue is looked for: it repeats it with every report."""


def cost(
    service: ServiceArgument = None,
    policies: PoliciesOption = POLICIES,
    revenue_per_user: Annotated[
        float | None,
        typer.Option(metavar="USD", help="USD that a paying user brings a month; else the policy's, or what was told."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what each tier costs, how many paying users pay for it, what was spent, what the bot costs and what it saved.

    Reads the policies and, if there is one, the worker's database (DATABASE_URL); asks nobody outside.
    """
    if revenue_per_user is not None and not 0 < revenue_per_user < LARGEST:
        raise UsageError(
            f"--revenue-per-user: {revenue_per_user:g} is no price: write what one user brings a month, such as 7.50."
        )
    bills = asyncio.run(_bills(load_settings(), service, policies_at_hand(policies), revenue_per_user))
    if as_json:
        print_json(report.document(bills))
        return
    for bill in bills:
        _print(bill)


async def _bills(
    settings: Settings, service: str | None, files: Sequence[PolicyFile], rate: float | None
) -> list[Bill]:
    async with _store(settings) as store:
        known = known_services(await store.last_verdicts() if store else (), files)
        chosen = known if service is None else (choose(known, service),)
        without = [one.name for one in chosen if one.file is None]
        if without:
            err.print(
                f"No policy at hand is for {', '.join(without)}: -p names the folder of its policy.", markup=False
            )
        bills = [await _bill(store, one, one.file.policy, settings, rate) for one in chosen if one.file is not None]
    if not bills:
        raise UsageError(
            "There is no policy to reckon with: `autoscaler init SERVICE` writes one, -p names where it is."
        )
    return bills


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store | None]:
    """The worker's records, or None where no worker has made any yet: prices are known all the same."""
    if not is_there(settings):
        yield None
        return
    async with opened_store(settings, read_only=True) as store:
        yield store


async def _bill(store: Store | None, one: Known, policy: Policy, settings: Settings, rate: float | None) -> Bill:
    now = SystemClock().now()
    service_id = one.verdict.service_id if one.verdict else policy.service.id or ""
    tenancy = await store.tier_changes(service_id) if store else []
    this_month, last_month = this_and_last_month(policy, tenancy, now)
    told = await _told(store, service_id) if store else {}
    return Bill(
        at=now,
        service=one.name,
        service_id=service_id,
        policy=policy,
        runs=tenancy[-1] if tenancy else None,
        this_month=this_month,
        last_month=last_month,
        in_all=period(policy, tenancy, tenancy[0].at, now) if tenancy else None,
        revenue=_revenue(policy, told, rate, now),
        monthly_revenue=told.get("monthly_revenue"),
        bot=await _bot(store, settings),
    )


async def _told(store: Store, service_id: str) -> dict[str, tuple[float, int]]:
    """The newest of each business value, and when it was told: by the app within the hour, or from outside at any time."""
    values: dict[str, tuple[float, int]] = {}
    words, _ = await store.told(0)
    for word in words:
        if word.service_id == service_id:
            values[word.told.name] = (word.told.value, word.told.at)
    for seen in await store.observations(service_id, SystemClock().now() - FRESH):
        if isinstance(seen, Reading):
            values |= {
                name: (seen.gauges[name], seen.at)
                for name in ("revenue_per_user", "monthly_revenue")
                if name in seen.gauges and seen.at >= values.get(name, (0.0, 0))[1]
            }
    return values


def _revenue(policy: Policy, told: dict[str, tuple[float, int]], rate: float | None, now: int) -> Revenue | None:
    """What was asked for, else what was told, else what the policy says."""
    if rate is not None:
        return Revenue(rate, "--revenue-per-user")
    pushed = told.get("revenue_per_user")
    if pushed is not None and pushed[0] > 0:
        return Revenue(pushed[0], f"told {format_relative(pushed[1], now)}")
    if policy.revenue_per_user:
        return Revenue(policy.revenue_per_user, "by the policy")
    return None


async def _bot(store: Store | None, settings: Settings) -> BotCost:
    beats = await store.heartbeats() if store else []
    services = len(await store.last_verdicts()) if store else 0
    worker, detail = (beats[0].worker, beats[0].detail) if beats else (None, {})
    return report.bot_cost(worker, detail, services, on_render=settings.on_render)


def _print(bill: Bill) -> None:
    out.print(report.title(bill), style="bold", markup=False)
    out.print()
    print_table(report.tiers(bill), empty="")
    for line in (report.revenue_line(bill), *report.business(bill)):
        out.print(line, markup=False)
    out.print()
    if bill.in_all is None:
        out.print("Nothing was spent that a worker has seen: start `autoscaler run`.", markup=False)
    else:
        print_table(report.months(bill), empty="")
    for line in report.notes(bill):
        out.print(line, markup=False)
    out.print()
    out.print(f"The bot itself: {bill.bot.words}\n", markup=False)
