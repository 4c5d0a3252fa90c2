"""Which instances answer at a service's one address.

A balancer gives each poll to one of them. Each is known by the name that its report tells, or else by when its process began; the
counters of each are its own. What they show together is put together in `core.together`.
"""

from dataclasses import replace
from math import ceil, log

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.observations import Reading

KEPT = HOUR
"""For how long a reading is remembered at least: who comes back within it is no new process."""
MOST = 300
"""So many are remembered at most: Render runs a hundred instances of a service, and a deploy replaces them."""

Who = str | int
"""An instance's name, or when its process began."""


def who(reading: Reading) -> Who | None:
    """Whose report it is; None where it does not tell."""
    return reading.started_at if reading.instance is None else reading.instance


def polls_to_meet(instances: int) -> int:
    """How many polls it takes to meet all of so many instances where a balancer chooses by chance; one that takes turns meets them sooner.

    k polls miss one of n with a probability of (1 - 1/n)^k, and any of them with no more than n times that. With k = n ln(100 n) that is
    less than 1 in 100, for any n; for two instances, and 11 polls, 1 in 1000.
    """
    return ceil(instances * log(100 * instances))


class Instances:
    """The last reading of each instance; a part of what is folded, so that a replay finds the same."""

    __slots__ = ("_changed_at", "_every", "_last", "_since", "are_several", "count")

    def __init__(self, every: int) -> None:
        """`every`: how far apart the polls are, ms."""
        self._every = every
        self.count = 1
        """How many should run. Under Render's own autoscaling others do."""
        self.are_several = False
        """Whether more than one answers, by the tier, or since one came back after another had answered."""
        self._last: dict[Who, Reading] = {}
        """The latest stands last. As long as one alone answers, nobody keeps it here: it is the last reading anyway."""
        self._changed_at = self._since = 0
        """What was heard before `_since` says nothing of now: another tier runs, or a new process took somebody's place."""

    @property
    def are_told_apart(self) -> bool:
        """Whether reports say whose they are."""
        return bool(self._last)

    @property
    def fresh(self) -> int:
        """For how long what an instance said stands for it, ms: a few polls, and so many that all of them are met."""
        return polls_to_meet(self.count if self.count > 1 else max(2, len(self._last))) * self._every

    @property
    def longest(self) -> int:
        """How old a reading may be for the next one of the same instance to be counted from it, ms."""
        one = max(5 * self._every, 5 * MINUTE)
        return max(one, self.fresh) if self.are_several else one

    def moved(self, at: int, count: int, *, anew: bool) -> None:
        """So many should run; `anew`: since `at` on another tier."""
        self.count = count
        self.are_several = count > 1 or (self.are_several and not anew)
        if anew:
            self._changed_at = self._since = at + 1  # what was heard at that very time was heard before

    def renewed(self, at: int) -> None:
        """A process has just begun, and may have taken the place of any other: those count again once they are heard again."""
        self._since = at

    def take(self, before: Reading | None, reading: Reading, *, settled: bool = True) -> bool:
        """One more reading, and the one before it. Whether its process was heard before.

        Not `settled`: a new process is just taking over, and the old one may answer after it once more.
        """
        if before is not None and (key := who(before)) is not None:
            kept = self._last.get(key)
            if kept is None or kept.at < before.at:
                self._keep(key, before)
        if (key := who(reading)) is None:
            return False
        kept = self._last.get(key)
        self._keep(key, reading)
        is_known = kept is not None and kept.process == reading.process
        if settled and is_known and before is not None and key != who(before):
            self.are_several = True
        return is_known

    def _keep(self, key: Who, reading: Reading) -> None:
        last = self._last
        last.pop(key, None)
        last[key] = reading
        longest = max(KEPT, self.fresh)
        while (oldest := next(iter(last))) != key and (len(last) > MOST or last[oldest].at < reading.at - longest):
            del last[oldest]

    def before(self, seen: Reading, previous: Reading | None) -> Reading | None:
        """What the counters of a new reading are counted from: the last one of the same instance. `previous`: the last of any.

        A stranger among several was there before, and nobody knows what it had counted by then; but one that has begun since counts from
        nothing, and so does one that began anew after its last reading had grown too old to be counted from.
        """
        key = who(seen)
        if previous is None or key == who(previous):
            # Nobody knows whose counters a nameless one of several shows.
            return replace(previous, counters={}) if previous and key is None and self.are_several else previous
        kept = None if key is None else self._last.get(key)
        if not self.are_several:
            return kept or previous
        began_since = kept is not None and seen.started_at is not None and seen.started_at > kept.timestamp
        if kept is not None and (seen.at - kept.at <= self.longest or not began_since):
            return kept
        if seen.started_at is None:
            return None
        age = seen.timestamp - seen.started_at
        return replace(seen, at=seen.at - age, timestamp=seen.started_at, counters=dict.fromkeys(seen.counters, 0.0))

    def heard(self, now: int, within: int | None = None) -> list[Reading]:
        """The last reading of each instance that was heard so lately, or freshly, the newest first."""
        since = max(self._since, now - (self.fresh if within is None else within))
        found: list[Reading] = []
        for one in reversed(self._last.values()):
            if one.at < since:
                break
            found.append(one)
        return found

    def served(self, last: Reading, since: int) -> float | None:
        """Requests that all processes heard since then have counted. `last`: the last reading."""
        if not self.are_several:
            return last.counters.get("requests")
        begun = max(since, self._changed_at)
        told = [one for one in self._last.values() if one.at >= begun] or [last]
        counted = [one.counters["requests"] for one in told if "requests" in one.counters]
        return sum(counted) if counted else None
