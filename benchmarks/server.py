"""Requests per second of a whole server, bare and with app_core or a peer of it.

    .venv/bin/python benchmarks/server.py [--framework fastapi] [--rounds 10] [--slices 15] [--connections 30]

Each app runs under a uvicorn of its own as it is deployed (one worker, uvloop, httptools, no access log) on loopback; all of them are
up, one at a time is under the load of wrk (one thread). On a shared machine two equal servers that are loaded for a second each differ
by a third, so in each round every app has its own wrk, and they take turns of 50 ms: the others are stopped with SIGSTOP. What is
compared is the whole round. Beside the rate stands the processor time that a request took in the server, whose inverse is the rate of
a server that has a core of its own.

The route never waits, so no request finds MAX_CONCURRENT others running. With a route that waits, this would measure the queue, and
to queue is what the gate is for.
"""

import argparse
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.tables import median_and_quartiles, print_machine, print_table
from support.traffic import PATH, headers_of_now

BARE, INSTALLED = "bare app", "app_core, as installed"
APPS = (BARE, "floor: wrap, send, time", "app_core, headers off", INSTALLED, "judoscale", "the seed's own")
_START_LINES = 50  # what uvicorn may say before it listens
_LISTENS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
_REQUESTS = re.compile(r"(\d+) requests in ")
_SLICE = 0.05  # seconds that one app is under load before it is the next one's turn
_DRAIN = 0.006  # seconds for the requests that are under way when a wrk is stopped
_PATIENCE = 10  # seconds for a wrk to end
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


class Load:
    """A wrk that runs slice by slice."""

    def __init__(self, wrk: str, server: Server, connections: int) -> None:
        headers = [f"-H{name.decode()}: {value.decode()}" for name, value in headers_of_now() if name != b"host"]
        self._command = [wrk, "-t1", f"-c{connections}", "-d600s", *headers, server.url + PATH]
        self._server = server
        self._cpu = server.cpu_seconds()
        self._seconds = 0.0
        self._process: subprocess.Popen[str] | None = None

    def run_slice(self) -> None:
        """Start or go on, and stop after a slice."""
        started = time.perf_counter()
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - wrk from the PATH, our own arguments
        else:
            self._process.send_signal(signal.SIGCONT)
        time.sleep(_SLICE)
        self._process.send_signal(signal.SIGSTOP)
        self._seconds += time.perf_counter() - started
        time.sleep(_DRAIN)

    def end(self) -> Turn:
        """Run a last slice, and tell of all."""
        assert self._process, "no slice was run"
        started = time.perf_counter()
        self._process.send_signal(signal.SIGCONT)
        time.sleep(_SLICE)
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=_PATIENCE)
        self._seconds += time.perf_counter() - started
        requests, trouble = _REQUESTS.search(said), _TROUBLE.search(said)
        assert requests, f"wrk told no number of requests:\n{said}"
        assert not trouble, f"{self._server.url} did not answer as it should: {trouble[0].strip()}"
        number = int(requests[1])
        return Turn(number / self._seconds, 1e6 * (self._server.cpu_seconds() - self._cpu) / number)

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def run_round(wrk: str, servers: dict[str, Server], slices: int, connections: int) -> dict[str, Turn]:
    """Load all apps in turns, in an order that is drawn anew for each slice."""
    with ExitStack() as stack:
        loads = {name: Load(wrk, server, connections) for name, server in servers.items()}
        for one in loads.values():
            stack.callback(one.kill)
        for _ in range(slices - 1):
            for name in random.sample(APPS, len(APPS)):
                loads[name].run_slice()
        return {name: loads[name].end() for name in random.sample(APPS, len(APPS))}


def measure(wrk: str, framework: str, rounds: int, slices: int, connections: int) -> dict[str, list[Turn]]:
    """What each app did in each round; a short round more than asked warms up."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(framework, name)) for name in APPS}
        run_round(wrk, servers, 5, connections)
        turns = [run_round(wrk, servers, slices, connections) for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in APPS}


def print_turns(framework: str, turns: dict[str, list[Turn]]) -> None:
    """Print rates and processor time, each also as a share of bare's in the same round."""
    rows, shares = [], {}
    for name, taken in turns.items():
        rates = median_and_quartiles([turn.per_second for turn in taken], 0)
        pairs = list(zip(taken, turns[BARE], strict=True))
        by_rate = median_and_quartiles([100 * one.per_second / base.per_second for one, base in pairs], 1)
        by_cpu = median_and_quartiles([100 * base.cpu_microseconds / one.cpu_microseconds for one, base in pairs], 1)
        cpu = statistics.median(turn.cpu_microseconds for turn in taken)
        shares[name] = f"{by_rate[0]} % of bare, {by_cpu[0]} % by processor time"
        rows.append([name, *rates, *by_rate, f"{cpu:.1f}", *by_cpu])
    share = ["% of bare", "quartiles"]
    columns = ["under load", "requests/s", "quartiles", *share, "CPU µs a request", *share]
    print_table(f"**A whole server**, {framework} app of one route:", columns, rows)
    print(f"\n{INSTALLED}: {shares[INSTALLED]} (aim: 95 at least).")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Requests per second of a whole server, with and without app_core.")
    parser.add_argument("--framework", choices=["fastapi", "starlette"], default="fastapi")
    parser.add_argument("--rounds", type=int, default=10, help="rounds, 2 or more (10)")
    parser.add_argument("--slices", type=int, default=15, help="slices of 50 ms for each app in each, 2 or more (15)")
    parser.add_argument("--connections", type=int, default=30, help="connections that wrk keeps open (30)")
    arguments = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not installed, so nothing was measured: 'apt install wrk', or 'brew install wrk' on macOS.")
        return
    rounds, slices, connections = arguments.rounds, arguments.slices, arguments.connections
    print_machine(
        f"uvicorn, one worker; wrk, {connections} connections; {rounds} rounds of {slices} interleaved slices of 50 ms"
    )
    print_turns(arguments.framework, measure(wrk, arguments.framework, rounds, slices, connections))


if __name__ == "__main__":
    main()
