"""Money in words and as JSON: what each tier costs, what was spent, when it pays, what the bot itself costs, what it saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autoscaler.core.durations import DAY, format_duration
from autoscaler.core.observations import TierChanged
from autoscaler.core.plans import find_plan
from autoscaler.core.policy import Policy
from autoscaler.core.savings import Period, break_even
from autoscaler.core.values import format_dollars
from autoscaler.report.tables import NOTHING, Table
from autoscaler.report.text import one_line
from autoscaler.report.units import format_plan, format_relative, monthly

EXAMPLES = (1.0, 5.0, 10.0)
"""USD a user and month to show where nobody has told theirs: the range of the seed's plan."""
WORKER_MONTHLY = 7.0
"""A background worker on `starter`, as render.yaml has it."""
CRON_MONTHLY = 1.0
"""What Render charges a cron job at least; a pass of some seconds every five minutes costs less than that by the second."""


CRON_WORKER = "run --once"
"""How a pass that a cron job makes signs."""
_SAVE = "Charge by use, limit the free tier, make the app need less, or let it scale down."
"""What the seed's plan advises where costs exceed revenue."""


@dataclass(frozen=True, slots=True)
class Revenue:
    """What one paying user brings, USD a month, and who says so."""

    per_user: float
    source: str


@dataclass(frozen=True, slots=True)
class BotCost:
    """What the bot itself costs, USD a month, for all services that it looks after."""

    monthly: float | None
    services: int
    words: str


@dataclass(frozen=True, slots=True)
class Bill:
    """One service's money. Times in ms UTC."""

    at: int
    service: str
    service_id: str
    policy: Policy
    runs: TierChanged | None
    """What runs, as far as anybody has looked."""
    this_month: Period
    last_month: Period
    in_all: Period | None
    """Since we first looked; None when we never did."""
    revenue: Revenue | None
    monthly_revenue: tuple[float, int] | None
    """The service's revenue this month, USD, and when that was told."""
    bot: BotCost


def bot_cost(worker: str | None, detail: Mapping[str, str], services: int, *, on_render: bool) -> BotCost:
    """By the worker's last sign of life: its name, and in `detail` what it runs on where that is Render; else what it would cost there."""
    shared = f", for all {services} services that it looks after" if services > 1 else ""
    if (plan := find_plan(detail.get("plan", ""))) is not None:
        instances = detail.get("instances", "1")
        amount = plan.price * (int(instances) if instances.isdecimal() else 1)
        return BotCost(amount, services, f"{monthly(amount)}, its own {plan.name} on Render{shared}.")
    if worker == CRON_WORKER:
        words = f"about {monthly(CRON_MONTHLY)}{shared}, if it is a cron job on Render (assumed: the least that Render charges for one)."
        return BotCost(CRON_MONTHLY, services, words)
    if on_render:
        words = f"{monthly(WORKER_MONTHLY)}{shared}, assumed: a background worker on starter, as in render.yaml."
        return BotCost(WORKER_MONTHLY, services, words)
    words = (
        "it has not told that it runs on Render, so what it costs is yours to say. On Render it would cost "
        f"{monthly(WORKER_MONTHLY)} as a background worker on starter, or about {monthly(CRON_MONTHLY)} as a cron job every five minutes "
        f"(assumed: the least that Render charges for one){shared}."
    )
    return BotCost(None, services, words)


def title(bill: Bill) -> str:
    """Which service, and what it runs on."""
    name = f"{one_line(bill.service)}  {bill.service_id}".rstrip()
    if bill.runs is None:
        return name
    plan = format_plan(bill.runs.plan, bill.runs.instances)
    return f"{name}  {one_line(bill.runs.tier or 'no tier of its policy')} on {plan}"


def tiers(bill: Bill) -> Table:
    """Each rung: what it costs, and how many paying users pay for it."""
    rates = (bill.revenue.per_user,) if bill.revenue else EXAMPLES
    rows = tuple(
        (
            one_line(tier.name) + (" (now)" if bill.runs and tier.name == bill.runs.tier else ""),
            format_plan(tier.plan, tier.instances),
            monthly(tier.monthly),
            *(_users(tier.monthly, rate) for rate in rates),
        )
        for tier in bill.policy.tiers
    )
    return Table(("Tier", "Plan", "Costs", *(f"Users at {format_dollars(rate)}" for rate in rates)), rows)


def _users(price: float, rate: float) -> str:
    users = break_even(price, rate)
    return NOTHING if users is None else str(users)


def revenue_line(bill: Bill) -> str:
    """Where the numbers of users come from."""
    if bill.revenue is None:
        return (
            "How many paying users pay for each tier, if one brings $1, $5 or $10 a month. Tell yours with --revenue-per-user, "
            "`revenue_per_user:` in the policy, or `autoscaler metric set revenue_per_user 7.50`."
        )
    return f"How many paying users pay for each tier: one brings {format_dollars(bill.revenue.per_user)} a month ({bill.revenue.source})."


def months(bill: Bill) -> Table:
    """What was spent, and what it would have been without moving."""
    periods = [(_month(bill.this_month, "so far"), bill.this_month), (_month(bill.last_month, ""), bill.last_month)]
    if bill.in_all is not None:
        begin = datetime.fromtimestamp(bill.in_all.begin / 1000, UTC)
        periods.append((f"Since {begin.day} {begin:%b %Y}", bill.in_all))
    smallest, largest = bill.policy.tiers[0].name, bill.policy.tiers[-1].name
    headers = ("Month (UTC)", "Spent", f"Always {one_line(smallest)}", f"Always {one_line(largest)}")
    return Table(headers, tuple(_period_row(label, one) for label, one in periods))


def _month(one: Period, suffix: str) -> str:
    name = f"{datetime.fromtimestamp(one.begin / 1000, UTC):%B %Y}"
    return f"{name}, {suffix}" if suffix else name


def _period_row(label: str, one: Period) -> tuple[str, ...]:
    if one.end > one.begin and one.unseen >= one.end - one.begin:
        return (label, "not seen", NOTHING, NOTHING)
    spent = f"{'about ' if one.estimated else ''}{_exact(one.spent)}"
    return (label, spent, _beside(one.spent, one.smallest), _beside(one.spent, one.largest))


def _beside(spent: float, other: float) -> str:
    difference = round(spent - other, 2)
    if not difference:
        return f"{_exact(other)}, the same"
    return f"{_exact(other)}, {_exact(abs(difference))} {'less' if difference > 0 else 'more'}"


def _exact(amount: float) -> str:
    return f"${amount:.2f}"


def notes(bill: Bill) -> tuple[str, ...]:
    """What is a guess in the months, and what the moving was good for."""
    lines = []
    for one in (bill.this_month, bill.last_month):
        if 0 < one.unseen < one.end - one.begin:
            days = format_duration(max(DAY, one.unseen // DAY * DAY) if one.unseen >= DAY else one.unseen)
            lines.append(
                f"{_month(one, '')}: the first {days} were before anybody looked, and are taken at the first plan that was seen."
            )
        if one.unpriced > 0:
            lines.append(
                f"{_month(one, '')}: {format_duration(one.unpriced)} on a plan of unknown price count nothing: "
                "give the tier a `price`."
            )
    if bill.in_all is not None:
        lines.append(_saved(bill, bill.in_all))
    return tuple(lines)


def _saved(bill: Bill, one: Period) -> str:
    more, less = one.spent - one.smallest, one.largest - one.spent
    smallest, largest = (one_line(bill.policy.tiers[place].name) for place in (0, -1))
    never = (
        f"{_exact(more)} more than never scaling (always {smallest})" if more >= 0.005 else "no more than never scaling"
    )
    saved = f"{_exact(less)} less than always-large (always {largest})" if less >= 0.005 else "as much as always-large"
    return f"So far it cost {never}, and {saved}."


def business(bill: Bill) -> tuple[str, ...]:
    """Whether the revenue that was told pays for what runs, and what the seed advises where it does not."""
    running = bill.policy.tier(bill.runs.tier) if bill.runs and bill.runs.tier else None
    if bill.monthly_revenue is None or running is None:
        return ()
    amount, told_at = bill.monthly_revenue
    told = f"monthly_revenue {format_dollars(amount)}, told {format_relative(told_at, bill.at)}"
    if amount >= running.monthly:
        return (f"Revenue pays for {one_line(running.name)} ({told}).",)
    return (f"Costs exceed revenue: {one_line(running.name)} is {monthly(running.monthly)}, {told}. {_SAVE}",)


def document(bills: Sequence[Bill]) -> list[dict[str, object]]:
    """The same for machines: USD, times in ms UTC."""
    return [_document(bill) for bill in bills]


def _document(bill: Bill) -> dict[str, object]:
    rate = bill.revenue.per_user if bill.revenue else None
    return {
        "service": bill.service,
        "service_id": bill.service_id,
        "tier": bill.runs.tier if bill.runs else None,
        "plan": bill.runs.plan if bill.runs else None,
        "revenue_per_user": rate,
        "revenue_source": bill.revenue.source if bill.revenue else None,
        "monthly_revenue": bill.monthly_revenue[0] if bill.monthly_revenue else None,
        "tiers": [
            {
                "name": tier.name,
                "plan": tier.plan,
                "instances": tier.instances,
                "monthly": tier.monthly,
                "break_even_users": None if rate is None else break_even(tier.monthly, rate),
            }
            for tier in bill.policy.tiers
        ],
        "this_month": _period(bill.this_month),
        "last_month": _period(bill.last_month),
        "in_all": None if bill.in_all is None else _period(bill.in_all),
        "bot": {"monthly": bill.bot.monthly, "services": bill.bot.services, "assumption": bill.bot.words},
    }


def _period(one: Period) -> dict[str, object]:
    return {
        "begin": one.begin,
        "end": one.end,
        "spent": round(one.spent, 4),
        "never_scaling": round(one.smallest, 4),
        "always_large": round(one.largest, 4),
        "saved_against_never_scaling": round(one.smallest - one.spent, 4),
        "saved_against_always_large": round(one.largest - one.spent, 4),
        "estimated": one.estimated,
        "unseen_ms": one.unseen,
        "unpriced_ms": one.unpriced,
    }
