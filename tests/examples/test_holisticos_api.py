"""The sample app in a process of its own, on the plan that a fake control group gives it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.asgi import cgroup_v2

EXAMPLE = Path(__file__).parents[2] / "examples" / "holisticos_api"
PLANS = {
    "starter": (
        {"memory_max": str(512 << 20), "cpu_max": "50000 100000"},
        {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"},
    ),
    "standard": (
        {"memory_max": str(2 << 30), "cpu_max": "100000 100000"},
        {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6"},
    ),
}


@contextmanager
def running(tmp_path, plan, **environ):
    """The app on that plan; gives its address and its process."""
    limits, settings = PLANS[plan]
    command = [sys.executable, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    app = subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        cwd=EXAMPLE,
        env={**os.environ, **settings, "CGROUP_ROOT": str(cgroup_v2(tmp_path, **limits)), **environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # Bounded by the end of the process: it says its address once, or dies.
        address = next(
            (found[0] for line in app.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line))), None
        )
        assert address, "the app ended before it served"
        yield address, app
    finally:
        app.terminate()
        assert app.wait(10) in (0, -signal.SIGTERM)
        app.stderr.close()


async def report_after_load(url, users, requests):
    """The endpoint's answer after so many users asked so often, without a pause."""

    async def one(client):
        for _ in range(requests):
            (await client.get("/api/analysis/u1")).raise_for_status()

    async with httpx.AsyncClient(base_url=url, timeout=30) as client, asyncio.timeout(30):
        await asyncio.gather(*(one(client) for _ in range(users)))
        while True:  # its windows and pools are told as of the last second
            report = (await client.get("/api/health/scaling")).json()
            if report["windows"]["5m"]["requests"] == users * requests and not report["pools"]["database"]["in_use"]:
                return report
            await asyncio.sleep(0.05)


async def test_its_capacity_follows_the_plan(tmp_path):
    with running(tmp_path / "small", "starter", WORK_SECONDS="0.1") as (url, _):
        small = await report_after_load(url, users=9, requests=3)
    with running(tmp_path / "large", "standard", WORK_SECONDS="0.1") as (url, _):
        large = await report_after_load(url, users=9, requests=3)
    # In a closed loop each waits for all others' share of the pool: 9 users x 0.2 s / 3, and 9 x 0.1 s / 6; less while the queue fills.
    slow, quick = (report["windows"]["5m"]["mean"] for report in (small, large))
    assert slow > 0.7 * 0.6
    assert 0.7 * 0.15 < quick < 0.7 * 0.6
    assert (small["pools"]["database"], large["pools"]["database"]) == (
        {"in_use": 0, "size": 3},
        {"in_use": 0, "size": 6},
    )
    assert (small["instance"]["plan_guess"], large["instance"]["plan_guess"]) == ("starter", "standard")
    assert small["counters"]["requests_total"] == large["counters"]["requests_total"] == 27


async def test_it_answers_health_checks_and_both_methods(tmp_path):
    with running(tmp_path, "starter", WORK_SECONDS="0") as (url, _):
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/api/analysis/u1")).json()["user"] == "u1"
            assert (await client.post("/api/analysis/u2")).json()["user"] == "u2"


def test_it_is_small_and_quick_to_start(tmp_path):
    before = time.monotonic()
    with running(tmp_path, "starter") as (url, _):
        took = time.monotonic() - before
        report = httpx.get(f"{url}/api/health/scaling").json()
    assert took < 10, "about a second on an idle machine"
    assert report["resources"]["memory_used_bytes"] < 200 << 20


def run_load(url, stages):
    command = [sys.executable, str(EXAMPLE / "load.py"), url, "--stages", stages]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter


def test_load_goes_through_its_stages_and_tells_each(tmp_path):
    with running(tmp_path, "standard", WORK_SECONDS="0.05") as (url, _):
        load = run_load(url, "0.3s:1,0.3s:4,0.2s:0")
        told = load.communicate(timeout=20)[0].splitlines()
        report = httpx.get(f"{url}/api/health/scaling").json()
    assert load.returncode == 0
    assert [line.partition(" (")[0] for line in told] == [
        "load: 1 users for 0.3 s",
        "load: 4 users for 0.3 s",
        "load: 0 users for 0.2 s",
        "load: over",
    ]
    assert report["concurrency"]["peak"]["1m"] >= 2
    assert report["counters"]["requests_total"] >= 5


def test_load_survives_an_app_that_is_away_and_ends_on_sigterm():
    load = run_load("http://127.0.0.1:9", "60s:2")
    assert load.stdout.readline().startswith("load: 2 users for 60 s")
    load.send_signal(signal.SIGTERM)
    rest = load.communicate(timeout=20)[0]
    assert load.returncode == 0
    assert re.fullmatch(r"load: over \(0 answered, no answer, \d failed\)\n", rest)


def test_a_stage_that_makes_no_sense_is_refused_with_an_example():
    load = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(EXAMPLE / "load.py"), "http://127.0.0.1:9", "--stages", "20:2"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert load.returncode == 2
    assert "'20:2' is not a stage: write <seconds>s:<users>, such as 20s:2" in load.stderr
