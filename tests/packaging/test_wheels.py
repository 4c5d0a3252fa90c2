"""Both distributions, built as a release is: what is in them, and that the app's core needs nobody."""

import os
import subprocess
import sys
import zipfile
from email import message_from_string

import pytest

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


def test_both_have_one_version_and_one_licence(bot, core):
    assert metadata(bot)["Version"] == metadata(core)["Version"]
    assert metadata(bot)["License-Expression"] == metadata(core)["License-Expression"] == "Apache-2.0"


def test_the_bot_s_wheel_brings_the_command(bot):
    (scripts,) = (text.decode() for name, text in contents(bot).items() if name.endswith("entry_points.txt"))
    assert "autoscaler = autoscaler.cli.main:main" in scripts


def test_the_bot_does_not_ask_for_the_core(bot):
    assert not any("core" in wanted for wanted in metadata(bot).get_all("Requires-Dist"))


def test_the_core_asks_for_nothing(core):
    assert metadata(core).get_all("Requires-Dist") is None


def test_an_app_that_installs_the_core_alone_can_use_it(core, tmp_path):
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", str(core))
    where = run(str(python), "-I", "-c", "from app_core import instrument; print(instrument.__code__.co_filename)")
    assert str(environment) in where


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout  # noqa: S603 - our own interpreter
