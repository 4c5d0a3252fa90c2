"""A service with a command really runs: on loopback, with the env vars and the plan of its deploy."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from render_client.sim import Disk, Durations, WorldSpec, running_simulator
from render_client.sim.processes import AppFailedError
from tests.support import tiny_app
from tests.support.sim import SERVICE, caller, service_with

REAL = Durations(build=0, update=0, start=0, drain=0.1, health_timeout=30)
DEPLOYS = f"/services/{SERVICE}/deploys"


def tiny_world(tmp_path, *, durations=REAL, **fields) -> WorldSpec:
    env = {"NOTES": str(tmp_path / "notes"), "SIZE": "small", **fields.pop("env", {})}
    service = service_with(
        command=("python", tiny_app.__file__), env=env, health_check_path="/health", cwd=tmp_path, **fields
    )
    return WorldSpec(services=(service,), durations=durations)


async def until(check, seconds=30):
    """Look until it is so; real processes have no clock of ours."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):  # noqa: ASYNC110 - another process cannot set our event
            await asyncio.sleep(0.02)
    return found


def alive(pid) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nobody reaps orphans, as in a container without an init, a killed one stays behind as a zombie.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def deploy_ended(http, deploy_id):
    async def check():
        deploy = (await http.get(f"{DEPLOYS}/{deploy_id}")).json()
        return deploy if deploy["finishedAt"] else None

    return await until(check)


async def test_a_deploy_starts_a_new_process_moves_the_traffic_and_ends_the_old_one_with_sigterm(tmp_path):
    async with running_simulator(tiny_world(tmp_path)) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        before = (await visitor.get(url)).json()
        assert before["env"]["SIZE"] == "small"
        await http.patch(f"/services/{SERVICE}", json={"serviceDetails": {"plan": "standard"}})
        await http.put(f"/services/{SERVICE}/env-vars/SIZE", json={"value": "large"})
        assert (await visitor.get(url)).json()["pid"] == before["pid"]

        deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()["id"]
        assert (await deploy_ended(http, deploy))["status"] == "live"
        after = (await visitor.get(url)).json()
        assert after["pid"] != before["pid"]
        assert after["env"]["SIZE"] == "large"

        async def told_to_go():
            return (tmp_path / "notes").exists() and not alive(before["pid"])

        await until(told_to_go)
        assert (tmp_path / "notes").read_text() == f"{before['pid']} SIGTERM\n"
    assert not alive(after["pid"])


async def test_an_app_gets_what_render_sets_and_the_cgroup_of_its_plan(tmp_path, monkeypatch):
    monkeypatch.setenv("RENDER_API_KEY", "rnd_never_for_the_app")
    world = tiny_world(tmp_path)
    async with running_simulator(world) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        env = (await visitor.get(url)).json()["env"]
        instance = (await http.get(f"/services/{SERVICE}/instances")).json()[0]["id"]
        commit = (await http.get(DEPLOYS)).json()[0]["deploy"]["commit"]["id"]
        expected = {
            "RENDER": "true",
            "RENDER_SERVICE_ID": SERVICE,
            "RENDER_SERVICE_NAME": "holisticos-api",
            "RENDER_INSTANCE_ID": instance,
            "RENDER_GIT_COMMIT": commit,
            "RENDER_EXTERNAL_URL": url,
            "IS_PULL_REQUEST": "false",
        }
        assert {key: env.get(key) for key in expected} == expected
        assert "RENDER_API_KEY" not in env
        folder = Path(env["CGROUP_ROOT"])
        assert (folder / "memory.max").read_text() == f"{512 * 1024 * 1024}\n"
        assert (folder / "cpu.max").read_text() == "50000 100000\n"

        async def measured():
            return int((folder / "memory.current").read_text()) > 1024 * 1024

        await until(measured)
        assert "usage_usec " in (folder / "cpu.stat").read_text()
        assert "oom_kill 0" in (folder / "memory.events").read_text()


async def test_the_proxy_forwards_bodies_and_repeated_headers_and_stamps_the_time_of_arrival(tmp_path):
    async with running_simulator(tiny_world(tmp_path)) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        posted = await visitor.post(f"{url}/a%20b?c=d%2Fe", content=b"x" * 100_000)
        assert posted.status_code == 201
        assert posted.json() == {"path": "/a%20b?c=d%2Fe", "body": "x" * 100_000}
        assert posted.headers.get_list("set-cookie") == ["a=1", "b=2"]
        headers = (await visitor.get(url, headers={"X-Own": "1", "X-Request-Start": "forged"})).json()["headers"]
        assert headers["X-Own"] == "1"
        assert len(headers["X-Request-Start"]) == 16
        await http.post(f"/services/{SERVICE}/suspend")
        gone = await visitor.get(url)
        assert (gone.status_code, gone.headers["content-type"].partition(";")[0]) == (502, "text/html")


async def test_a_deploy_whose_process_fails_its_health_check_fails_and_the_old_one_goes_on(tmp_path):
    world = tiny_world(tmp_path)
    async with running_simulator(world) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        impatient = REAL.model_copy(update={"health_timeout": 0.5})
        sim.world.spec = world.model_copy(update={"durations": impatient})
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        before = (await visitor.get(url)).json()["pid"]
        await http.put(f"/services/{SERVICE}/env-vars/HEALTH", json={"value": "bad"})
        deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()["id"]
        assert (await deploy_ended(http, deploy))["status"] == "update_failed"
        assert (await visitor.get(url)).json()["pid"] == before


async def test_a_process_that_ends_by_itself_is_reported_and_replaced(tmp_path):
    async with running_simulator(tiny_world(tmp_path)) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        before = (await visitor.get(url)).json()["pid"]
        assert (await visitor.get(f"{url}/exit")).status_code == 502

        async def replaced():
            reply = await visitor.get(url)
            return reply.status_code == 200 and reply.json()["pid"] != before

        await until(replaced)
        events = (await http.get(f"/services/{SERVICE}/events?type=server_failed")).json()
        assert events[0]["event"]["details"]["reason"]["nonZeroExit"] == 3


async def test_a_service_with_a_disk_stops_before_it_starts(tmp_path):
    world = tiny_world(tmp_path, disk=Disk())
    async with running_simulator(world) as sim, caller(sim) as http, httpx.AsyncClient() as visitor:
        url = (await http.get(f"/services/{SERVICE}")).json()["serviceDetails"]["url"]
        deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()["id"]
        assert (await visitor.get(url)).status_code == 502
        assert (await deploy_ended(http, deploy))["status"] == "live"
        assert (tmp_path / "notes").read_text().endswith("SIGTERM\n")


async def test_an_app_that_does_not_come_up_is_an_error_with_its_last_words(tmp_path):
    service = service_with(command=("python", "-c", "raise SystemExit('no database')"))
    with pytest.raises(AppFailedError, match=r"holisticos-api did not come up(.|\n)*no database"):
        async with running_simulator(WorldSpec(services=(service,), durations=REAL)):
            pass


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGKILL))
def test_the_apps_end_with_the_simulator_however_it_ends(tmp_path, number):
    world = tmp_path / "world.yaml"
    world.write_text(
        "services:\n"
        "  - name: tiny\n"
        f"    command: [python, {tiny_app.__file__}]\n"
        "    cwd: .\n"
        f"    env: {{NOTES: {tmp_path / 'notes'}}}\n"
    )
    command = [sys.executable, "-m", "render_client.sim", "--port", "0", "--world", str(world)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:  # noqa: S603 - our own program
        ready = simulator.stdout.readline()
        pid = httpx.get(ready.split(" at ")[1].strip()).json()["pid"]
        simulator.send_signal(number)
        code = simulator.wait(30)
    assert code == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    asyncio.run(until(lambda: asyncio.sleep(0, not alive(pid))))
