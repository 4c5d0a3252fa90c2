"""What app_core/README.md says: its tables are those of the code, and its examples run."""

import ast
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import httpx
import pytest
import redis.asyncio
from fastapi import FastAPI
from sqlalchemy import create_engine

from app_core import Deduplicator, ScalingConfig, instrument
from app_core.instruments import Options
from tests.support.asgi import cgroup_v2, fetch

README = (Path(__file__).parents[2] / "app_core" / "README.md").read_text()
PROFILES = {"mvp": 512 << 20, "scaled": 2 << 30, "enterprise": 4 << 30}
WORDS = {"off": 0, "on": 1, "Python's": 0}


def rows(header):
    """Cells of each row of the table whose header begins so."""
    table = README[README.index(header) :].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def examples():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


async def run(example, names):
    """As if it stood in an async function."""
    code = compile(example, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, names)  # noqa: S307 - our own text
    if made is not None:
        await made


@pytest.mark.parametrize("profile", PROFILES)
def test_the_table_of_settings_is_that_of_the_code(profile):
    told = {}
    for variables, *cells, _ in rows("| variable |"):
        values = cells[list(PROFILES).index(profile)].split(", ")
        names = re.findall(r"`([A-Z_]+)`", variables)
        told |= {
            name: WORDS.get(value) if value in WORDS else float(value.removesuffix(" s"))
            for name, value in zip(names, values, strict=True)
        }
    assert told == ScalingConfig.from_environment(PROFILES[profile], {}).settings()


def test_the_table_of_options_is_that_of_the_code():
    assert {name.strip("`") for name, *_ in rows("| option |")} == get_type_hints(Options).keys()


async def test_what_only_the_app_knows_is_in_the_report_when_it_is_said_so(tmp_path, monkeypatch):
    (example,) = (each for each in examples() if "gauges.pool" in each)
    app = FastAPI()

    async def ask_the_model():
        return "an answer"

    names = {
        "app": app,
        "instrument": lambda app: instrument(app, cgroup_root=cgroup_v2(tmp_path)),
        "engine": create_engine(
            f"sqlite:///{tmp_path}/app.db", **ScalingConfig.from_environment(None, {}).pool_options()
        ),
        "cache": SimpleNamespace(hits=3, misses=1),
        "count_todays_users": lambda: 120,
        "ask_the_model": ask_the_model,
        "httpx": httpx,
        "AsyncOpenAI": lambda http_client: http_client,
    }
    await run(example, names)
    report = json.loads((await fetch(app, "/api/health/scaling")).body)
    assert report["pools"] == {"database": {"in_use": 0, "size": 5}}
    assert report["cache"]["caches"]["templates"]["lookups_total"] == 4
    assert (report["business"], report["signals"]) == ({"daily_active_users": 120}, {"complaints": 1})
    await names["client"].aclose()
    names["engine"].dispose()


async def test_the_example_of_the_deduplicator_executes_once():
    (example,) = (each for each in examples() if "async def analysis" in each)
    executions = []

    async def compute_analysis(user):
        executions.append(user)
        return {"user": user}

    names = {"compute_analysis": compute_analysis}
    await run(example, names)
    assert [await names["analysis"]("ann") for _ in range(3)] == [{"user": "ann"}] * 3
    assert executions == ["ann"]


async def test_the_example_of_redis_makes_a_deduplicator(monkeypatch):
    (example,) = (each for each in examples() if "RedisBackend" in each)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    names = {"redis": redis, "os": os, "Deduplicator": Deduplicator}
    await run(example, names)
    assert isinstance(names["dedup"], Deduplicator)
