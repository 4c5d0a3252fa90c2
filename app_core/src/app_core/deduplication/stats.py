"""The numbers of one Deduplicator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """What a Deduplicator has done since it was made. A finished call is one hit, one miss or one coalesced.

    Attributes:
        hits: calls answered by a kept result.
        misses: executions begun.
        coalesced: calls answered by an execution that somebody else made while they waited.
        failures: executions that ended with an error, or whose task ended without `complete`; cancelled ones do not count.
        evictions: results dropped for more recently used ones.
        expired: results whose time had passed when they were dropped.
        entries: results kept now.
        in_progress: executions now, those included that wait for another instance's.
        waiting: calls that wait for somebody else's execution now.
        backend_errors: times that the shared store failed, or could not take a result.
    """

    hits: int
    misses: int
    coalesced: int
    failures: int
    evictions: int
    expired: int
    entries: int
    in_progress: int
    waiting: int
    backend_errors: int
