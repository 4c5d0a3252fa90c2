"""Each app's health endpoint: does it answer, and does it tell what the policy's rules speak of?"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autoscaler.core.durations import MINUTE, SECOND, format_duration
from autoscaler.core.json_values import find
from autoscaler.core.metrics import SIGNALS, Kind, Metric
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.policy import Health, Policy
from autoscaler.core.readings import read, with_memory_share
from autoscaler.engine.doctor.finding import Finding, guarded, listed, ok, seconds, skipped, warning, wrong
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import HealthPort, Report

CHECK = "health"
AT_ONCE = 20
_BY_THE_BOT = frozenset({"unreachable", "stalled", "poll_timeouts", "oom_kills", "server_failed"})
"""What is seen from outside, or told by Render."""
_FIXES = {
    Miss.TIMED_OUT: "Is the app up, or asleep (a free plan)? Ask it by hand: curl -sS -m 20 '{url}'",
    Miss.REFUSED: "Check the address in {place}; ask it by hand: curl -sS '{url}'",
    Miss.RESET: "Look at the app's logs on Render; ask it by hand: curl -sS '{url}'",
    Miss.SERVER_ERROR: "Look at the app's logs on Render: its endpoint fails.",
    Miss.MISCONFIGURED: "Correct `health:` in {place}. app_core gives an app the endpoint: app_core/README.md.",
    Miss.FROZEN: "Let the endpoint make each report anew, and no cache keep it.",
}


async def look(files: Sequence[PolicyFile], health: HealthPort, patience: float) -> list[Finding]:
    """All of them, a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(file: PolicyFile) -> list[Finding]:
        async with places:
            return await guarded(CHECK, _one(file, health, patience), 2 * patience, about=file.policy.service.label)

    return [finding for each in await asyncio.gather(*map(one, files)) for finding in each]


async def _one(file: PolicyFile, health: HealthPort, patience: float) -> list[Finding]:
    asked, about = file.policy.service.health, file.policy.service.label
    if asked is None:
        return [skipped(CHECK, "the policy names none: Render's own metrics are judged", about=about)]
    quick = asked.model_copy(update={"timeout": min(asked.timeout, round(patience * SECOND))})
    answer = await health.fetch(quick)
    if isinstance(answer, Missed):
        return [_missed(file, asked, answer)]
    seen = _seen(answer, file.policy)
    if isinstance(seen, Missed):
        return [_missed(file, asked, seen)]
    doubts = list(_doubts(file, answer, seen))
    took = f"answers in {seconds(answer.took)}"
    told = [one.name for one in _used(file.policy) if _by_people(one, seen)]
    rest = f"; told by people only: {listed(told)} (`autoscaler metric set`, `signal`)" if told else ""
    return doubts or [ok(CHECK, f"{took}, with all that its rules need{rest}", about=about)]


def _missed(file: PolicyFile, health: Health, missed: Missed) -> Finding:
    kind = missed.reason.replace("_", " ")
    text = missed.detail if missed.reason is Miss.MISCONFIGURED else f"{kind}: {missed.detail}"
    fix = _FIXES[missed.reason].format(url=health.url, place=file.path)
    if health.token is not None and health.token.env in missed.detail:  # nobody was asked
        fix = f"Set it where the bot runs, to the app's own secret; or take `token:` out of {file.path}."
    return wrong(CHECK, text, fix, about=file.policy.service.label)


def _seen(answer: Report, policy: Policy) -> Reading | Missed:
    """The report as the worker will read it from the second poll on: what is counted is told by a rise since the one before."""
    first = read(answer.body, answer.at, None, policy.every, policy.vocabulary)
    if isinstance(first, Missed):
        return first
    before = replace(first, at=first.at - SECOND, timestamp=first.timestamp - 1)
    seen = read(answer.body, answer.at, before, policy.every, policy.vocabulary)
    return seen if isinstance(seen, Missed) else with_memory_share(seen, policy.tiers[0].size.memory)


def _doubts(file: PolicyFile, answer: Report, seen: Reading) -> Iterator[Finding]:
    about = file.policy.service.label
    missing = [one.name for one in _used(file.policy) if not _is_told(one, seen, answer.body)]
    if missing:
        text = f"it does not tell {listed(missing)}: the rules that speak of it never hold"
        fix = f"Say under `metrics:` in {file.path} where it stands, or let the app tell it (app_core/README.md)."
        yield warning(CHECK, text, fix, about=about)
    age = seen.at - seen.timestamp
    if abs(age) > MINUTE:
        way = "behind" if age > 0 else "ahead of"
        text = f"its timestamp is {format_duration(abs(age))} {way} this machine's clock"
        fix = "A cache between the app and the bot keeps old reports, or one of the two clocks is wrong."
        yield warning(CHECK, text, fix, about=about)


def _used(policy: Policy) -> list[Metric]:
    """What its rules speak of, each once."""
    return list({condition.metric.name: condition.metric for condition in policy.conditions()}.values())


def _is_told(metric: Metric, seen: Reading, body: Mapping[str, object]) -> bool:
    """Whether its value comes from here, or from elsewhere by its nature."""
    if metric.name in _BY_THE_BOT or metric.name in seen.gauges or metric.kind in {Kind.BUSINESS, Kind.COUNTED}:
        return True
    if metric.kind is Kind.RATIO:
        return {metric.over, metric.under} <= seen.increases.keys()
    # A percentile is only told of enough requests; that there are windows is all that a calm report can show.
    return (metric.path or "").startswith("windows.") and isinstance(find(body, "windows"), dict)


def _by_people(metric: Metric, seen: Reading) -> bool:
    """Whether it is of the kind that people may tell, and the endpoint does not."""
    if metric.name in _BY_THE_BOT:
        return False
    if metric.kind is Kind.BUSINESS:
        return metric.name not in seen.gauges
    return metric.kind is Kind.COUNTED and SIGNALS + metric.name not in seen.counters
