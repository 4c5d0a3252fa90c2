"""Real servers with one and with three worker processes, under load and with workers that are killed: one instance, one report."""

import asyncio
import os
import signal
from collections import Counter

import httpx
import pytest

from tests.support.servers import GUNICORN, UVICORN, play

COUNTERS = ("requests_total", "errors_total", "response_seconds_total", "cpu_seconds_total", "shed_requests_total")


def who(report):
    return report["instance"]["id"], report["instance"]["started_at"]


class Load:
    """Clients that count what they got, and one who watches that no counter ever falls."""

    def __init__(self, server):
        self.server = server
        self.outcomes = Counter()
        self.identities = set()
        self.watched = 0

    async def clients(self, number, requests, path="/work"):
        async def client():
            for _ in range(requests):
                try:
                    answer = await self.server.ask(path)
                    self.outcomes["answered" if answer.status_code == 200 else "refused"] += 1
                except httpx.TransportError:
                    self.outcomes["cut"] += 1

        await asyncio.gather(*(client() for _ in range(number)))

    async def watch(self, work):
        """Ask for reports while the work goes on."""
        task = asyncio.ensure_future(work)
        before = dict.fromkeys(COUNTERS, 0)
        while not task.done():
            report = await self.server.report()
            fell = {
                name: (before[name], report["counters"][name])
                for name in COUNTERS
                if report["counters"][name] < before[name]
            }
            assert not fell
            before = report["counters"]
            self.identities.add(who(report))
            self.watched += 1
        await task

    def agrees_with(self, report):
        """A request that was cut off may or may not have been finished."""
        answered = self.outcomes["answered"] + self.outcomes["refused"]
        return answered <= report["counters"]["requests_total"] <= answered + self.outcomes["cut"]


def test_one_worker_makes_no_folder_and_counts_each_request_once(tmp_path):
    async def story(server):
        load = Load(server)
        await load.watch(load.clients(10, 10))
        report = await server.report()
        assert load.outcomes == {"answered": 100}
        assert report["counters"]["requests_total"] == 100
        assert report["instance"]["processes"] == 1
        assert report["concurrency"]["running"] == 0

    play(story, UVICORN, tmp_path, MAX_CONCURRENT="100")
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


async def killed_under_load(server, processes, requests):
    first = await server.until(lambda report: report["instance"]["processes"] == processes)
    before = await server.workers(processes)
    load = Load(server)

    async def work():
        halfway = load.clients(10, requests)
        await asyncio.gather(halfway, kill())

    async def kill():
        await load.clients(1, 10)
        await load.clients(1, 1, path="/kill")

    await load.watch(work())
    assert (
        1 <= load.outcomes["cut"] <= 2 * 11
    )  # of 10 clients and the killer; again, where a worker has had its requests
    last = await server.until(
        lambda report: report["instance"]["processes"] == processes and report["concurrency"]["running"] == 0
    )
    after = await server.workers(processes)
    assert before.keys() - after.keys()
    reports = [await server.report() for _ in range(10 * processes)]  # of every worker, also the new one
    assert all(map(load.agrees_with, reports)), (load.outcomes, [report["counters"] for report in reports])
    assert load.identities | {who(report) for report in (first, last, *reports)} == {who(first)}
    assert load.watched > 2
    return load


def test_three_workers_of_uvicorn_answer_as_one_instance_also_when_one_is_killed(tmp_path):
    async def story(server):
        await killed_under_load(server, 3, 40)

    play(story, [*UVICORN, "--workers", "3"], tmp_path, MAX_CONCURRENT="100")


def test_max_concurrent_is_shared_out_among_the_workers_that_live(tmp_path):
    async def story(server):
        load, held = Load(server), []

        async def fill():
            """One request after the other that does not end, until as many run as may."""
            for _ in range(200):
                held.append(asyncio.ensure_future(load.clients(1, 1, path="/hold")))
                # A worker that is interrupted while it counts a request that will wait shows it as running for that moment.
                running = min([(await server.report())["concurrency"]["running"] for _ in range(2)])
                assert running <= 4
                if running == 4:
                    return
            pytest.fail("four never ran")

        await server.until(lambda report: report["instance"]["processes"] == 3)
        await server.until_limits(2, 1, 1)
        await fill()
        os.kill(server.process.pid, signal.SIGSTOP)  # so that nobody replaces the worker
        await load.clients(1, 1, path="/api/health/kill")
        await server.until_limits(2, 2)
        await fill()
        await server.until(lambda report: report["instance"]["processes"] == 2)
        os.kill(server.process.pid, signal.SIGCONT)
        await server.until_limits(2, 1, 1)
        concurrency = (await server.report())["concurrency"]
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        at_once = concurrency["running"] + concurrency["queued"]  # in all of them together
        last = await server.until(lambda report: report["concurrency"]["peak"]["1m"] >= at_once)
        assert last["instance"]["processes"] == 3
        await server.until(lambda report: report["concurrency"]["running"] == report["concurrency"]["queued"] == 0)

    play(story, [*UVICORN, "--workers", "3"], tmp_path, MAX_CONCURRENT="4")


def test_workers_of_gunicorn_are_replaced_without_a_loss(tmp_path):
    """A kill, a graceful reload, and workers that end after a number of requests."""

    async def story(server):
        load = await killed_under_load(server, 2, 10)
        first = await server.report()
        before = await server.workers(2)
        os.kill(server.process.pid, signal.SIGHUP)
        await load.watch(load.clients(4, 20))
        for _ in range(500):
            if not before.keys() & (await server.workers(2)).keys():
                break
        else:
            pytest.fail("the workers were not replaced")
        last = await server.until(
            lambda report: report["instance"]["processes"] == 2 and report["concurrency"]["running"] == 0
        )
        assert load.agrees_with(last), (load.outcomes, last["counters"])
        assert who(last) == who(first)

    command = [*GUNICORN, "-w", "2", "--max-requests", "150", "--preload"]
    play(story, command, tmp_path, MAX_CONCURRENT="100")
