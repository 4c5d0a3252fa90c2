"""What app_core adds to one request, beside a wrapper written by hand that only wraps, sends and times (the floor), and its peers.

    .venv/bin/python benchmarks/middleware.py [--rounds 30] [--turn 25]

All variants of a table serve the same app in this process, with no server around it. In each round every variant has one turn of so
many milliseconds, in an order that is drawn anew, after a full garbage collection; collection stays on in the turn. Added cost = a
variant's time per request less that of the app alone in the same round. Each peer is asked how many requests it measured: a peer
that was switched off would be fast.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Sequence
from itertools import cycle, islice

from support import peers
from support.peers import Variant
from support.tables import median_and_quartiles, print_machine, print_table
from support.traffic import bare, discard, headers_of_now, receive, scope

Added = dict[str, list[float]]  # microseconds, one for each round, by variant
_WARM_UP = 2000
_DISTINCT = 250  # requests before X-Request-Start repeats


async def seconds_per_request(variant: Variant, requests: int, *, with_headers: bool) -> float:
    """One turn. Each request has a scope of its own, as a server makes it; what that costs is in the app alone too."""
    scopes = [scope(headers_of_now(number / 1e5) if with_headers else []) for number in range(_DISTINCT)]
    app = variant.app
    gc.collect()
    started = time.perf_counter()
    for one in islice(cycle(scopes), requests):
        await app(one.copy(), receive, discard)
    return (time.perf_counter() - started) / requests


async def measure(
    alone: Variant, variants: Sequence[Variant], rounds: int, turn: float, *, with_headers: bool
) -> Added:
    """Run so many rounds of turns of `turn` seconds; a turn more than asked warms up and says how many requests fill one."""
    everything = [alone, *variants]
    taken: dict[str, list[float]] = {variant.name: [] for variant in everything}
    length: dict[str, int] = {}
    for variant in everything:
        await variant.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, discard)
        await seconds_per_request(variant, _WARM_UP, with_headers=with_headers)
        one = await seconds_per_request(variant, _WARM_UP, with_headers=with_headers)
        length[variant.name] = max(1, int(turn / one))
    for number in range(rounds):
        for variant in random.Random(number).sample(everything, len(everything)):
            name = variant.name
            taken[name].append(await seconds_per_request(variant, length[name], with_headers=with_headers))
            if variant.counted:
                sent = 2 * _WARM_UP + len(taken[name]) * length[name]
                counted = await variant.counted()
                assert counted == sent, f"{name} measured {counted} of {sent} requests"
    bases = taken.pop(alone.name)
    return {name: [1e6 * (one - base) for one, base in zip(ones, bases, strict=True)] for name, ones in taken.items()}


def print_added(title: str, added: Added, floor: float) -> None:
    """Print what each variant adds, in microseconds and as a multiple of the floor."""
    rows = [
        [name, *median_and_quartiles(values, 2), f"{statistics.median(values) / floor:.2f}"]
        for name, values in added.items()
    ]
    print_table(title, ["adds to a request", "median, µs", "quartiles", "times the floor"], rows)


async def run(rounds: int, turn: float) -> None:
    """Measure and print all tables."""
    floor, judoscale = peers.floor(), peers.judoscale()
    ours = peers.app_core_on_bare()
    pure = [floor, *ours, judoscale, peers.opentelemetry()]
    alone = Variant("alone", bare)
    added = await measure(alone, pure, rounds, turn, with_headers=True)
    unit = statistics.median(added[floor.name])
    print_added("**Around a bare ASGI app**, requests with the twelve headers that Render's proxies send:", added, unit)
    installed, peer = (statistics.median(added[name]) for name in ("app_core, as installed", judoscale.name))
    print(
        f"\napp_core as installed: {installed / unit:.2f} times the floor (aim: 2 at most), {installed / peer:.2f} of judoscale (aim: under 0.25)."
    )

    on_starlette = [peers.app_core_on_starlette(), peers.exporter(), peers.instrumentator(), peers.seed()]
    added = await measure(Variant("alone", peers.starlette()), on_starlette, rounds, turn, with_headers=True)
    print_added("**Around a Starlette app** of one route, which these peers need; the same requests:", added, unit)

    again = [peers.floor(), *peers.app_core_on_bare()[:2], peers.judoscale()]
    added = await measure(alone, again, rounds, turn, with_headers=False)
    unit = statistics.median(added[floor.name])
    print_added("**Around the bare ASGI app**, requests without any header:", added, unit)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cost that app_core and its peers add to a request, in-process.")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of each table, 2 or more (30)")
    parser.add_argument("--turn", type=float, default=25, help="milliseconds that a variant runs in each round (25)")
    arguments = parser.parse_args()
    print_machine(f"{arguments.rounds} interleaved rounds, a turn of {arguments.turn:g} ms for each")
    asyncio.run(run(arguments.rounds, arguments.turn / 1000))


if __name__ == "__main__":
    main()
