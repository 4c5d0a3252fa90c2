"""Beside Prometheus itself: the same random series, the same conditions as alerting rules, the same times at which they fire.

`promtool test rules` plays the series and compares what fires at every evaluation. They agree exactly where

- no sample is missing: for Prometheus a gap shorter than five minutes repeats the last value, for us it is a gap;
- no rate window is empty: there 0/0 is no number and ends a run, while we repeat the last judgement;
- both counters of a ratio are far from 0 while the first window fills: until then `rate` extrapolates both alike, but never below 0;
- a process that began anew shows it in each counter: Prometheus looks at each alone, we know that all did when one fell.

Otherwise counters that begin anew are counted alike, and a window's edge too: what rose after its beginning.
"""

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import pytest
import yaml

from autoscaler.core.durations import MINUTE
from autoscaler.core.keys import up_key
from autoscaler.core.observations import Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.readings import increase
from autoscaler.core.state import State
from tests.support.evidence import EVERY, a_policy

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: apt install --no-install-recommends prometheus)"
)
SERVICES, STEPS = 8, 500
FAST = "rate(response_seconds[{rate}]) / rate(requests[{rate}])"
FAILED = "100 * rate(errors[{rate}]) / rate(requests[{rate}])"
HITS = "100 * rate(cache_hits[{rate}]) / rate(cache_lookups[{rate}])"
INSIDE = "{over}(concurrent_requests[{window}]) {op} and count_over_time(concurrent_requests[{window}]) == {count}"
SHARE = (
    "avg_over_time((concurrent_requests > bool 5)[15m:30s]) >= 0.8 and count_over_time(concurrent_requests[15m]) == 31"
)


@dataclass(frozen=True)
class Pair:
    """A condition, and the rule that says the same to Prometheus: its expression, and its `for`."""

    condition: str
    expression: str
    held: str = "0s"


PAIRS = (
    Pair("concurrent_requests > 5 for 10m", "concurrent_requests > 5", "10m"),
    Pair("concurrent_requests >= 5 for 2m", "concurrent_requests >= 5", "2m"),
    Pair("concurrent_requests < 5 for 15m", "concurrent_requests < 5", "15m"),
    Pair("concurrent_requests <= 5 for 1h", "concurrent_requests <= 5", "1h"),
    Pair("concurrent_requests <= 4 for 45s", "concurrent_requests <= 4", "45s"),
    Pair("concurrent_requests > 6", "concurrent_requests > 6"),
    Pair("concurrent_requests > 5 for 15m in 80% of samples", SHARE),
    Pair(
        "max(concurrent_requests over 10m) < 6", INSIDE.format(over="max_over_time", window="10m", op="< 6", count=21)
    ),
    Pair(
        "min(concurrent_requests over 5m) >= 4", INSIDE.format(over="min_over_time", window="5m", op=">= 4", count=11)
    ),
    Pair("avg_response_time > 3.14159s for 15m", FAST.format(rate="5m") + " > 3.14159", "15m"),
    Pair("avg_response_time < 3.14159s for 1h", FAST.format(rate="5m") + " < 3.14159", "1h"),
    Pair("avg_response_time > 3.14159s for 2h", FAST.format(rate="10m") + " > 3.14159", "2h"),
    Pair("error_rate > 7.77% for 30m", FAILED.format(rate="5m") + " > 7.77", "30m"),
    Pair("error_rate <= 7.77% for 10m", FAILED.format(rate="5m") + " <= 7.77", "10m"),
    Pair("cache_hit_ratio < 42.42% for 1h", HITS.format(rate="5m") + " < 42.42", "1h"),
)  # the bounds of ratios are such as no quotient of so few requests can equal: there both round


def _policy() -> Policy:
    alerts = [f'{{name: a{place}, when: "{pair.condition}", do: notify}}' for place, pair in enumerate(PAIRS)]
    return a_policy(more=f"alerts: [{', '.join(alerts)}]\nevidence: {{min_requests: 1}}")


@dataclass
class _App:
    """One service: what its endpoint shows at each poll. Its mood lasts a random while."""

    chance: random.Random
    mood: int = 0
    left: int = 0
    quiet: int = 0

    def samples(self) -> Iterator[tuple[float, dict[str, float]]]:
        """Concurrency, and the counters since the process began."""
        chance = self.chance
        counters = {
            name: 1e6 + chance.randrange(1000)
            for name in ("requests", "response_seconds", "errors", "cache_hits", "cache_lookups")
        }
        for step in range(STEPS):
            if self.left == 0:
                self.mood, self.left = chance.randrange(4), chance.choice((3, 10, 25, 40, 150, 260))
            self.left -= 1
            requests = chance.randrange(4) if self.quiet < 8 else 1
            self.quiet = 0 if requests else self.quiet + 1
            lookups = max(1, chance.randrange(5))
            if step > 30 and min(counters.values()) > 9 and chance.random() < 0.02:
                counters = dict.fromkeys(counters, 0.0)
            counters["requests"] += requests
            counters["response_seconds"] += sum(
                round(chance.uniform(1, 3) * (self.mood + 0.6), 3) for _ in range(requests)
            )
            counters["errors"] += sum(chance.random() < 0.07 * self.mood for _ in range(requests))
            counters["cache_lookups"] += lookups
            counters["cache_hits"] += sum(chance.random() < 0.25 + 0.2 * self.mood for _ in range(lookups))
            yield float(self.mood * 2 + chance.randrange(2) + (chance.random() < 0.1)), dict(counters)


def _fires(policy: Policy, samples: list[tuple[float, dict[str, float]]]) -> list[frozenset[int]]:
    """After each poll: which of the pairs hold, as the fold keeps it and as it is explained."""
    state = State(policy, EVERY)
    state.fold(TierChanged(0, "mvp", "starter", 1))
    conditions = [alert.when for alert in policy.alerts]
    bits = [1 << state.keys.index(up_key(condition)) for condition in conditions]
    found: list[frozenset[int]] = []
    before: Reading | None = None
    for step, (concurrency, counters) in enumerate(samples):
        bare = Reading(step * EVERY, {"concurrent_requests": concurrency}, counters=counters)
        risen = increase(bare, before, longest=5 * MINUTE)
        before = Reading(bare.at, bare.gauges, risen, counters=counters)
        state.fold(before)
        found.append(frozenset(place for place, bit in enumerate(bits) if state.holding & bit))
        told = [state.standing(up_key(condition), bare.at).holds for condition in conditions]
        assert found[-1] == {place for place, holds in enumerate(told) if holds}
    return found


def _notation(values: list[float]) -> str:
    """Values in promtool's words, runs of equal ones in short."""
    runs = [(value, len(list(run))) for value, run in groupby(values)]
    return " ".join(f"{value:.10g}x{count - 1}" if count > 1 else f"{value:.10g}" for value, count in runs)


def _document(apps: list[list[tuple[float, dict[str, float]]]], fired: list[list[frozenset[int]]]) -> dict[str, object]:
    """The unit test file: the series of all services, and at each evaluation all that fires."""
    series = []
    for service, samples in enumerate(apps):
        columns = {"concurrent_requests": [value for value, _ in samples]}
        columns |= {name: [counters[name] for _, counters in samples] for name in samples[0][1]}
        series += [{"series": f'{name}{{s="{service}"}}', "values": _notation(told)} for name, told in columns.items()]
    label = 'ALERTS{{alertname="a{place}", alertstate="firing", s="{service}"}}'
    expected = [
        {
            "expr": 'ALERTS{alertstate="firing"}',
            "eval_time": f"{step * EVERY // 1000}s",
            "exp_samples": [
                {"labels": label.format(place=place, service=service), "value": 1}
                for service, steps in enumerate(fired)
                for place in sorted(steps[step])
            ],
        }
        for step in range(STEPS)
    ]
    test = {"interval": "30s", "input_series": series, "promql_expr_test": expected}
    return {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}


def _promtool(folder: Path, document: dict[str, object]) -> subprocess.CompletedProcess[str]:
    rules = [{"alert": f"a{place}", "expr": pair.expression, "for": pair.held} for place, pair in enumerate(PAIRS)]
    groups = {"groups": [{"name": "conditions", "interval": "30s", "rules": rules}]}
    for name, content in (("rules.yaml", groups), ("test.yaml", document)):
        (folder / name).write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, width=10**6), encoding="utf-8")
    assert PROMTOOL is not None
    return subprocess.run(  # noqa: S603 - the tool that was found above, on files of ours
        [PROMTOOL, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_conditions_fire_when_the_same_rules_of_prometheus_do(tmp_path):
    apps = [list(_App(random.Random(service)).samples()) for service in range(SERVICES)]
    policy = _policy()
    fired = [_fires(policy, samples) for samples in apps]
    begins = Counter(place for steps in fired for before, now in pairwise(steps) for place in now - before)
    assert set(begins) == set(range(len(PAIRS))), f"each has to fire now and then, or nothing is shown: {begins}"
    said = _promtool(tmp_path, _document(apps, fired))
    assert said.returncode == 0, (said.stdout + said.stderr)[:4000]
    fired[0][200] ^= {1}
    assert _promtool(tmp_path, _document(apps[:1], fired[:1])).returncode == 1, "promtool compares nothing"
