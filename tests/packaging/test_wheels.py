"""Both distributions, built as a release is: what is in them, and that the app's core needs nobody."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_string

import pytest
from packaging.requirements import Requirement

from tests.support.checkout import ROOT, SOURCES


def build(project, folder):
    """The wheel of a project, by the build backend that is installed here."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, timeout=60)  # noqa: S603 - our own interpreter
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("bot"))


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    return build(ROOT / "app_core", tmp_path_factory.mktemp("core"))


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel):
    return message_from_string(
        next(text.decode() for name, text in contents(wheel).items() if name.endswith(".dist-info/METADATA"))
    )


def sources(*roots):
    """Every file of a package, as a wheel names it."""
    return {
        file.relative_to(root.parent).as_posix()
        for root in roots
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_bot_s_wheel_holds_both_packages_whole_and_nothing_else(bot):
    packed = {name for name in contents(bot) if ".dist-info/" not in name}
    assert packed == sources(*SOURCES[:2])
    assert {"autoscaler/py.typed", "render_client/py.typed"} <= packed
    assert "autoscaler/adapters/store/migrations/versions/r0001_first_tables.py" in packed


def test_the_core_s_wheel_holds_its_package_whole_and_nothing_else(core):
    packed = {name for name in contents(core) if ".dist-info/" not in name}
    assert packed == sources(SOURCES[2])
    assert "app_core/py.typed" in packed


@pytest.mark.parametrize("wheel", ("bot", "core"))
def test_a_wheel_carries_its_licence(wheel, request):
    packed = contents(request.getfixturevalue(wheel))
    licence = next(text for name, text in packed.items() if name.endswith(".dist-info/licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_both_have_one_version_and_one_licence_but_for_the_font(bot, core):
    assert metadata(bot)["Version"] == metadata(core)["Version"]
    assert metadata(core)["License-Expression"] == "Apache-2.0"
    assert metadata(bot)["License-Expression"] == "Apache-2.0 AND OFL-1.1"
    assert any(name.endswith("/autoscaler/adapters/fonts/OFL.txt") for name in contents(bot) if ".dist-info/" in name)


def test_the_bot_s_wheel_brings_the_command(bot):
    (scripts,) = (text.decode() for name, text in contents(bot).items() if name.endswith("entry_points.txt"))
    assert "autoscaler = autoscaler.cli.main:main" in scripts


def test_the_bot_does_not_ask_for_the_core(bot):
    assert not any("core" in wanted for wanted in metadata(bot).get_all("Requires-Dist"))


def test_the_core_asks_for_nothing_unless_an_extra_is_named(core):
    wanted = [Requirement(text) for text in metadata(core).get_all("Requires-Dist", [])]
    assert [str(one) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})] == []
    assert [one.name for one in wanted if one.marker.evaluate({"extra": "redis"})] == ["redis"]


@pytest.fixture
def alone(core, tmp_path):
    """The interpreter of an environment that holds the core's wheel and nothing else; what it asked for could not be had."""
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", str(core))
    assert [found.name for found in packages(environment).glob("*.dist-info")] == [core_info(core)]
    return python


def test_an_app_that_installs_the_core_alone_has_its_numbers(alone):
    bare = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
    lines = "from app_core import ScalingMiddleware\napp = ScalingMiddleware(app)\n"
    assert "`app = ScalingMiddleware(app)`" in README
    assert run(str(alone), "-I", "-c", bare + lines + ASK).split() == ["200", "200", "1"]


def test_the_two_lines_of_the_readme_give_a_fastapi_app_its_numbers(alone):
    (lines,) = re.findall(r"```python\n(from app_core import instrument\n.*?)```", README, re.DOTALL)
    # FastAPI from our own environment, behind the wheel on the path; a .pth names a folder and runs none of the .pth files in it,
    # so our editable app_core cannot be found.
    (packages(alone.parents[1]) / "fastapi.pth").write_text(sysconfig.get_path("purelib"))
    fastapi = """
from fastapi import FastAPI
app = FastAPI()
app.get("/")(lambda: "hello")
"""
    assert run(str(alone), "-I", "-c", fastapi + lines + ASK).split() == ["200", "200", "1"]


README = (ROOT / "app_core" / "README.md").read_text(encoding="utf-8")

ASK = """
import asyncio, json, pathlib, sys
import app_core

async def get(path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    await app({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

async def main():
    status, _ = await get("/")
    answered, body = await get("/api/health/scaling")
    print(status, answered, json.loads(body)["counters"]["requests_total"])

assert pathlib.Path(app_core.__file__).is_relative_to(sys.prefix), app_core.__file__
asyncio.run(main())
"""


def packages(environment):
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def core_info(wheel):
    """`render_autoscaler_core-0.1.0.dist-info`, from `render_autoscaler_core-0.1.0-py3-none-any.whl`."""
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def run(*command):
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own interpreter
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
