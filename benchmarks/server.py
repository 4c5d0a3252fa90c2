"""Requests per second of a whole server, bare and with app_core or a peer of it.

    .venv/bin/python benchmarks/server.py [--framework fastapi] [--rounds 12] [--seconds 1] [--connections 30]

Each app runs under a uvicorn of its own as it is deployed (one worker, uvloop, httptools, no access log) on loopback; all of them are
up, one at a time is under the load of wrk (one thread). In each round every app has one turn, in an order that is drawn anew, and its
share of bare is that of the same round. Beside it stands the processor time that a request took in the server: on a machine that does
other work it says more than the rate, and its inverse is the rate of a server that has a core of its own.

The route never waits, so no request finds MAX_CONCURRENT others running: "as installed" and MAX_CONCURRENT=0 differ by what the gate
costs, not by queueing. With a route that waits, this would measure the queue, and to queue is what the gate is for.
"""

import argparse
import random
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.tables import median_and_quartiles, print_machine, print_table
from support.traffic import PATH, headers_of_now

BARE, INSTALLED = "bare app", "app_core, as installed"
APPS = (BARE, INSTALLED, "app_core, MAX_CONCURRENT=0", "judoscale", "the seed's own")
_START_LINES = 50  # what uvicorn may say before it listens
_LISTENS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
_REQUESTS = re.compile(r"(\d+) requests in ")
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_TROUBLE = re.compile(r"Non-2xx or 3xx responses.*|Socket errors.*")


@dataclass(frozen=True, slots=True)
class Server:
    """A uvicorn that serves one app."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one app did in one round."""

    per_second: float
    cpu_microseconds: float  # of the server, for one request


@contextmanager
def serving(framework: str, installed: str) -> Iterator[Server]:
    """Start the app of that framework with that middleware."""
    command = [sys.executable, "-m", "support.apps", framework, installed]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter, our own script
    try:
        assert process.stderr
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if listens := _LISTENS.search(line):
                yield Server(listens[1], psutil.Process(process.pid))
                return
            if len(said) == _START_LINES:
                break
        sys.exit(f"the server of {installed!r} did not start; it said:\n{''.join(said)}")
    finally:
        process.terminate()
        process.communicate()


def load(wrk: str, server: Server, seconds: int, connections: int) -> Turn:
    """One turn under load."""
    headers = [f"-H{name.decode()}: {value.decode()}" for name, value in headers_of_now() if name != b"host"]
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", *headers, server.url + PATH]
    before = server.cpu_seconds()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - wrk from the PATH, our own arguments
    used = server.cpu_seconds() - before
    requests, rate, trouble = _REQUESTS.search(said), _RATE.search(said), _TROUBLE.search(said)
    assert requests and rate, f"wrk gave no rate:\n{said}"  # noqa: PT018 - one fault: another version of wrk
    assert not trouble, f"{server.url} did not answer as it should: {trouble[0].strip()}"
    return Turn(float(rate[1]), 1e6 * used / int(requests[1]))


def measure(wrk: str, framework: str, rounds: int, seconds: int, connections: int) -> dict[str, list[Turn]]:
    """The turns of each app; one more than asked warms up."""
    turns: dict[str, list[Turn]] = {name: [] for name in APPS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(framework, name)) for name in APPS}
        for server in servers.values():
            load(wrk, server, 1, connections)
        for number in range(rounds):
            for name in random.Random(number).sample(APPS, len(APPS)):
                turns[name].append(load(wrk, servers[name], seconds, connections))
    return turns


def percent_of_bare(turns: Sequence[Turn], bare: Sequence[Turn]) -> list[float]:
    """The rate as a share of bare's in the same round."""
    return [100 * one.per_second / base.per_second for one, base in zip(turns, bare, strict=True)]


def print_turns(framework: str, turns: dict[str, list[Turn]]) -> None:
    """Print rates, shares of bare and processor time."""
    rows = []
    bare_cpu = statistics.median(turn.cpu_microseconds for turn in turns[BARE])
    for name, taken in turns.items():
        rates = median_and_quartiles([turn.per_second for turn in taken], 0)
        shares = ("100", "") if name == BARE else median_and_quartiles(percent_of_bare(taken, turns[BARE]), 1)
        cpu = statistics.median(turn.cpu_microseconds for turn in taken)
        rows.append([name, *rates, *shares, f"{cpu:.1f}", f"{100 * bare_cpu / cpu:.1f}"])
    columns = [
        "under load",
        "requests/s",
        "quartiles",
        "% of bare",
        "quartiles",
        "CPU µs a request",
        "% of bare by CPU",
    ]
    print_table(f"**A whole server**, {framework} app of one route:", columns, rows)
    share = statistics.median(percent_of_bare(turns[INSTALLED], turns[BARE]))
    cpu = statistics.median(turn.cpu_microseconds for turn in turns[INSTALLED])
    print(f"\n{INSTALLED}: {share:.1f} % of bare, {100 * bare_cpu / cpu:.1f} % by processor time (aim: 95 at least).")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Requests per second of a whole server, with and without app_core.")
    parser.add_argument("--framework", choices=["fastapi", "starlette"], default="fastapi")
    parser.add_argument("--rounds", type=int, default=12, help="rounds, 2 or more (12)")
    parser.add_argument("--seconds", type=int, default=1, help="whole seconds that an app is under load in each (1)")
    parser.add_argument("--connections", type=int, default=30, help="connections that wrk keeps open (30)")
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not installed, so nothing was measured: 'apt install wrk', or 'brew install wrk' on macOS.")
        return
    rounds, seconds, connections = arguments.rounds, arguments.seconds, arguments.connections
    print_machine(
        f"uvicorn with one worker, wrk with {connections} connections, {rounds} interleaved rounds of {seconds} s"
    )
    print_turns(arguments.framework, measure(wrk, arguments.framework, rounds, seconds, connections))


if __name__ == "__main__":
    main()
