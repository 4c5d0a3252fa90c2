"""`run` as a real process: it works, it stops when told to, it goes on where it was."""

import asyncio
import contextlib
import json
import signal
import time
from types import SimpleNamespace

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from tests.support.cli import autoscaler, starting
from tests.support.fake_slack import fake_slack


async def passes(stream):
    """The log lines of passes, as they come."""
    async for raw in stream:
        fields = json.loads(raw)
        if "conditions" in fields:
            yield fields


async def until(stream, condition):
    async with asyncio.timeout(30):
        async for fields in passes(stream):
            if condition(fields):
                return fields
    raise AssertionError("the worker ended first")


async def test_sigterm_ends_it_with_0_in_well_under_10_seconds(place):
    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as worker:
        await until(worker.stderr, lambda fields: True)
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(worker.communicate(), 20)
        assert worker.returncode == 0
        assert time.monotonic() - began < 10
        assert json.loads(err.splitlines()[-1])["message"].startswith("drained in")


async def test_sigterm_while_a_poll_hangs_still_ends_in_time(place):
    async def hang(request):
        await asyncio.Event().wait()

    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as worker:
        await until(worker.stderr, lambda fields: True)
        place.app.handler = hang
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        await asyncio.wait_for(worker.communicate(), 20)
        assert worker.returncode == 0
        assert time.monotonic() - began < 10


async def test_it_changes_the_plan_of_an_app_that_needs_more(place):
    place.use_much_memory()
    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as worker:
        await until(worker.stderr, lambda fields: fields["tier"] == "scaled")
        worker.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(worker.communicate(), 20)
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]
    assert "Scaling up holisticos-api: mvp → scaled" in out.decode()


async def test_a_killed_worker_is_followed_by_one_that_ends_its_change_with_one_deploy(place):
    place.use_much_memory()
    place.sim.hooks.after_write(lambda call: workers[-1].kill() if call.method == "PATCH" else None)
    workers = []
    async with starting("run", "-p", place.policies, **place.env) as worker:
        workers.append(worker)
        await asyncio.wait_for(worker.communicate(), 30)
        assert worker.returncode == -signal.SIGKILL
    assert place.writes == ["PATCH"]
    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as second:
        workers.append(second)
        await until(second.stderr, lambda fields: fields["tier"] == "scaled")
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]


async def test_dry_run_decides_and_writes_nothing(place):
    place.use_much_memory()
    async with starting("run", "--dry-run", "-p", place.policies, "--log-format", "json", **place.env) as worker:
        fields = await until(worker.stderr, lambda fields: fields["why"] == "go")
        assert fields["sentence"].startswith("mvp → scaled: memory_usage 450 MB > 400MB")
    assert place.writes == []


async def test_a_policy_that_is_broken_does_not_stop_the_sound_one(place):
    (place.policies / "broken.yaml").write_text("version: 1\nmode: akt\n")
    async with starting("run", "-p", place.policies, **place.env) as worker:
        lines = []
        async with asyncio.timeout(30):
            async for line in worker.stderr:
                lines.append(line.decode())
                if "steady" in lines[-1]:
                    break
    assert any("broken.yaml:2:7: error:" in line and "did you mean 'ask'?" in line for line in lines)
    assert "holisticos-api  mvp" in lines[-1]


async def test_once_makes_one_pass_and_carries_its_change_on_until_it_has_to_wait(place):
    place.use_much_memory()
    first = await autoscaler("run", "--once", "-p", place.policies, **place.env)
    assert first.code == 0, first.err
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]
    store = open_store(place.env["DATABASE_URL"])
    (change,) = await store.changes()
    await store.close()
    assert change.state is State.APPLYING


async def test_once_without_a_database_is_a_usage_error(place):
    ended = await autoscaler("run", "--once", "-p", place.policies, **(place.env | {"DATABASE_URL": ""}))
    assert ended.code == 2
    assert "--once needs DATABASE_URL" in ended.err


async def test_on_render_a_sqlite_file_outside_a_disk_keeps_it_dry_and_says_the_fix(place):
    place.use_much_memory()
    async with starting(
        "run", "-p", place.policies, "--log-format", "json", **(place.env | {"RENDER": "true"})
    ) as worker:
        first = json.loads(await asyncio.wait_for(worker.stderr.readline(), 20))
        assert first["level"] == "error"
        assert "Attach a disk and set DATABASE_URL=sqlite:////var/data/autoscaler.db" in first["message"]
        await until(worker.stderr, lambda fields: fields["why"] == "go")
    assert place.writes == []


async def test_a_refused_key_ends_it_at_once_with_what_to_do(place):
    ended = await autoscaler("run", "-p", place.policies, **(place.env | {"RENDER_API_KEY": "rnd_wrong"}))
    assert ended.code == 1
    assert "RENDER_API_KEY" in ended.err
    assert "rnd_wrong" not in ended.err


async def test_with_a_slack_token_the_decision_the_progress_and_the_outcome_are_posted_in_one_thread(place):
    place.use_much_memory()
    async with fake_slack() as slack:
        env = place.env | {"SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.base_url, "SLACK_CHANNEL": "#ops"}
        async with starting("run", "-p", place.policies, "--log-format", "json", **env) as worker:
            await until(worker.stderr, lambda fields: len(slack.messages) >= 4)
            worker.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(worker.communicate(), 20)
    first, *replies = slack.messages
    assert first.text.startswith("✅ Done: holisticos-api runs on standard (scaled)"), "edited to how it ended"
    assert {reply.thread_ts for reply in replies} == {first.ts}
    assert [reply.text.partition(":")[0] for reply in replies][-1] == "✅ Done"
    assert slack.token not in (out + err).decode()


async def test_with_both_tokens_one_press_in_slack_begins_the_change(place):
    place.use_much_memory()
    place.policy.write_text(
        place.policy.read_text().replace("mode: act", "mode: ask") + "approval: {approvers: [U0ADA]}\n"
    )
    async with fake_slack() as slack:
        tokens = {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token}
        env = place.env | tokens | {"SLACK_API_URL": slack.base_url, "SLACK_CHANNEL": "#ops"}
        async with starting("run", "-p", place.policies, "--log-format", "json", **env) as worker:
            await slack.connected()
            await until(worker.stderr, lambda fields: slack.messages)
            pressed = await slack.click("U0ADA", slack.messages[0], "autoscaler.approve")
            assert pressed.acked
            await until(worker.stderr, lambda fields: slack.messages[0].text.startswith("✅ Done"))
            worker.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(worker.communicate(), 20)
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]
    assert worker.returncode == 0, err.decode()
    assert not [token for token in tokens.values() if token in (out + err).decode()]
    assert "Traceback" not in err.decode()


async def test_it_works_on_postgres_pass_by_pass(place, postgres):
    place.use_much_memory()
    env = place.env | {"DATABASE_URL": postgres.new_database()}
    for _ in range(20):
        ended = await autoscaler("run", "--once", "-p", place.policies, **env)
        assert ended.code == 0, ended.err
        history = (await autoscaler("history", "--json", **env)).json
        if history["changes"] and history["changes"][0]["state"] == "watching":
            break
    assert history["changes"][0]["state"] == "watching"
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]


@pytest.mark.parametrize("key", ("rnd_ secret", "rnd_secrét"))
async def test_a_key_that_can_not_be_one_is_a_usage_error_that_does_not_show_it(place, key):
    ended = await autoscaler("run", "-p", place.policies, **(place.env | {"RENDER_API_KEY": key}))
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert "RENDER_API_KEY" in ended.err
    assert key not in ended.err


async def test_an_address_that_can_not_be_one_is_a_usage_error(place):
    ended = await autoscaler("check", "-p", place.policies, **(place.env | {"RENDER_API_URL": "api.render.com"}))
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert "RENDER_API_URL: The base URL must look like" in ended.err


@contextlib.asynccontextmanager
async def silent_server():
    """Takes connections and never answers; its address, and an event set by the first of them."""
    asked = asyncio.Event()

    async def hold(reader, writer):
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await reader.read()  # until the other side goes
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", asked


@pytest.mark.parametrize(
    ("number", "code", "once"),
    ((signal.SIGTERM, 0, ()), (signal.SIGTERM, 0, ("--once",)), (signal.SIGINT, 130, ("--once",))),
)
async def test_a_signal_while_render_hangs_at_the_start_ends_it_at_once(place, number, code, once):
    async with silent_server() as (url, asked):
        env = place.env | {"RENDER_API_URL": url}
        async with starting("run", *once, "-p", place.policies, **env) as worker:
            await asyncio.wait_for(asked.wait(), 20)
            began = time.monotonic()
            worker.send_signal(number)
            _, err = await asyncio.wait_for(worker.communicate(), 20)
            assert worker.returncode == code, err
            assert time.monotonic() - began < 3


async def test_sigterm_in_the_middle_of_a_change_is_followed_by_one_deploy_in_all(place):
    place.use_much_memory()
    place.sim.hooks.after_write(lambda call: workers[-1].terminate() if call.method == "PUT" else None)
    workers = []
    async with starting("run", "-p", place.policies, **place.env) as worker:
        workers.append(worker)
        _, err = await asyncio.wait_for(worker.communicate(), 30)
        assert worker.returncode == 0, err
    workers[:] = [SimpleNamespace(terminate=lambda: None)]
    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as second:
        await until(second.stderr, lambda fields: fields["tier"] == "scaled")
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]


async def test_once_from_cron_carries_a_change_on_from_pass_to_pass(place):
    place.use_much_memory()
    for _ in range(60):
        ended = await autoscaler("run", "--once", "-p", place.policies, **place.env)
        assert ended.code == 0, ended.err
        store = open_store(place.env["DATABASE_URL"])
        (change,) = await store.changes()
        await store.close()
        if change.state is State.WATCHING:
            break
    assert change.state is State.WATCHING
    assert change.outcome.startswith("standard is live")
    assert place.writes == ["PATCH", "PUT", "PUT", "POST"]
    status = await autoscaler("status", "--alive", "1m", **place.env)
    assert status.code == 0, status.err
