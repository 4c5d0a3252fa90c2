"""The peaks of a sliding window, kept bucket by bucket, are those that a look through all of it finds."""

import random
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.fit import Peaks
from autoscaler.core.observations import Reading
from tests.support.evidence import EVERY, MB, START, a_policy

WINDOW, STEP = HOUR, 5 * MINUTE
SMALLER = a_policy().tiers[0]


def a_walk(seed):
    """Readings with holes; what one does not tell, another does."""
    chance, at = random.Random(seed), START
    for _ in range(chance.randrange(1, 400)):
        at += EVERY if chance.random() < 0.98 else chance.randrange(HOUR * 2)
        gauges = {}
        if chance.random() < 0.9:
            gauges["memory_usage"] = chance.randrange(1, 600) * MB
        if chance.random() < 0.9:
            gauges["concurrent_requests"] = float(chance.randrange(12))
        told = {"seconds": 30.0, "cpu_seconds": chance.uniform(0, 30)} if chance.random() < 0.9 else {}
        yield Reading(at, gauges, told)


def looked_through(seen, now):
    """(memory, cores, concurrency, ms seen) of the buckets that the window touches, from all that was ever seen."""
    buckets = {}
    for one in seen:
        buckets.setdefault(one.at - one.at % STEP, []).append(one)
    inside = [bucket for start, bucket in buckets.items() if start + STEP > now - WINDOW]
    memory = [one.gauges["memory_usage"] for bucket in inside for one in bucket if "memory_usage" in one.gauges]
    requests = [
        one.gauges["concurrent_requests"] for bucket in inside for one in bucket if "concurrent_requests" in one.gauges
    ]
    told = [[one.increases for one in bucket if one.increases] for bucket in inside]
    means = sorted(
        sum(one["cpu_seconds"] for one in bucket) / sum(one["seconds"] for one in bucket) for bucket in told if bucket
    )
    cores = means[ceil(len(means) * 0.95) - 1] if means else None
    return max(memory, default=None), cores, max(requests, default=None), sum(30_000 for bucket in told for _ in bucket)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_at_every_moment_the_misfits_are_those_of_all_that_lies_in_the_window(seed):
    peaks, seen = Peaks(WINDOW), []
    for reading in a_walk(seed):
        peaks.add(reading, 1)
        seen.append(reading)
        memory, cores, requests, watched = looked_through(seen, reading.at)
        found = {misfit.metric.name: misfit.peak for misfit in peaks.misfits(SMALLER, headroom=0.999999)}
        wanted = {
            "memory_usage": memory,
            "cpu_percent": None if cores is None else cores / 0.5 * 100,
            "concurrent_requests": requests,
        }
        assert found == {name: peak for name, peak in wanted.items() if peak}
        enough = watched >= WINDOW - WINDOW // 10
        assert enough == ("history" not in peaks.note(SMALLER))
