"""The image, as far as it can be tried without an engine; the steps of its build are in CONTRIBUTING.md."""

import asyncio
import fnmatch
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.ports import Heartbeat
from tests.support.checkout import ROOT
from tests.support.shipped import backend_names, dockerfile, needed_to_build, stages

INSTRUCTIONS = dockerfile((ROOT / "Dockerfile").read_text(encoding="utf-8"))
BUILD, FINAL = stages(INSTRUCTIONS)


def texts(stage, word: str) -> list[str]:
    return [one.text for one in stage if one.word == word]


def copied(stage) -> list[str]:
    """Sources in the checkout, not in another stage."""
    return [source for text in texts(stage, "COPY") if "--from" not in text for source in text.split()[:-1]]


def sent_to_the_engine(path: str) -> bool:
    """Whether .dockerignore lets it into the build; the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
        if any(fnmatch.fnmatch(one, pattern.removeprefix("**/")) for one in parents):
            sent = line.startswith("!")
        elif pattern.startswith("**/") and fnmatch.fnmatch(Path(path).name, pattern.removeprefix("**/")):
            sent = False
    return sent


def test_everything_that_is_copied_exists_and_is_sent():
    for source in copied(BUILD) + copied(FINAL):
        assert (ROOT / source).exists(), source
        assert sent_to_the_engine(source), source


def test_nothing_else_is_sent():
    allowed = set(copied(BUILD) + copied(FINAL))
    assert {path.name for path in ROOT.iterdir() if sent_to_the_engine(path.name)} == allowed


@pytest.mark.parametrize(
    "path", (".env", ".git", "autoscaler.db", "tests", "policies/demo.yaml", "autoscaler/core/__pycache__/plans.pyc")
)
def test_what_is_nobody_s_business_stays_out(path):
    assert not sent_to_the_engine(path)


def test_every_package_is_fetched_by_its_hash():
    installs = [
        step
        for text in texts(BUILD, "RUN")
        for step in re.split(r"\s*&& ?", text)
        if re.search(r"\bpip\b.* install ", step)
    ]
    assert len(installs) == 3
    for step in installs:
        assert "--require-hashes" in step or "--no-index --no-deps" in step, step
    assert any("-r requirements.lock" in step for step in installs)


def test_the_build_backend_comes_from_the_lock_with_all_that_it_needs():
    assert [backend_names(text) for text in texts(BUILD, "RUN") if "backend.lock" in text] == [needed_to_build()]


def test_what_is_shipped_installs_nothing_more():
    assert not any("pip" in text for text in texts(FINAL, "RUN"))
    assert any("--without-pip" in text for text in texts(BUILD, "RUN"))


def test_it_runs_as_somebody_who_is_not_root_before_it_starts():
    words = [one.word for one in FINAL]
    (user,) = texts(FINAL, "USER")
    assert user not in {"root", "0"}
    assert words.index("USER") < words.index("ENTRYPOINT") < words.index("CMD")
    assert any(f"--uid {user}" in text for text in texts(FINAL, "RUN"))


def test_sigterm_reaches_the_worker_and_no_shell():
    command = json.loads(texts(FINAL, "ENTRYPOINT")[0]) + json.loads(texts(FINAL, "CMD")[0])
    assert command == ["autoscaler", "run"]


def test_no_secret_is_built_in():
    for instruction in INSTRUCTIONS:
        if instruction.word in {"ENV", "ARG", "LABEL"}:
            assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD|DATABASE_URL", instruction.text), instruction


def test_no_volume_passes_for_a_disk_on_render():
    assert texts(FINAL, "VOLUME") == []


# The health check -------------------------------------------------------------------------------------------------------


def health_check(folder: Path) -> int:
    """The image's own command, in its working folder, with nothing but what the image sets."""
    (text,) = texts(FINAL, "HEALTHCHECK")
    command = json.loads(text.partition("CMD ")[2])
    ran = subprocess.run(  # noqa: S603 - the command of our own Dockerfile
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=30,
        check=False,
    )
    return ran.returncode


def beat(folder: Path, seconds_ago: float) -> None:
    async def _beat() -> None:
        store = open_store(f"sqlite:///{folder}/autoscaler.db")
        await store.migrate()
        at = round((time.time() - seconds_ago) * 1000)
        await store.beat(Heartbeat("worker", at, at, services=1, dry_run=False))
        await store.close()

    asyncio.run(_beat())


def test_without_a_worker_the_container_is_unhealthy(tmp_path):
    assert health_check(tmp_path) == 1


def test_with_a_worker_that_lives_the_container_is_healthy(tmp_path):
    beat(tmp_path, seconds_ago=5)
    assert health_check(tmp_path) == 0


def test_with_a_worker_that_has_stopped_the_container_is_unhealthy(tmp_path):
    beat(tmp_path, seconds_ago=90)
    assert health_check(tmp_path) == 1
