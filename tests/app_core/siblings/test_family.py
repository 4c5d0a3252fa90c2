"""Which folder the workers of one server have in common, and what becomes of the folders of servers that are gone."""

import fcntl
import os
import subprocess
import sys

import pytest

from app_core.family import common_folder, is_locked
from app_core.ledger import SIZE
from tests.support.asgi import Clock
from tests.support.workers import Worker

# Prints the folder of each of two workers of one parent, and of the parent itself.
_SPAWNED = """
import multiprocessing, sys
from app_core.family import common_folder

def work(answers):
    answers.put(str(common_folder(None)))

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.SimpleQueue()
    for _ in range(2):
        worker = spawn.Process(target=work, args=(answers,))
        worker.start()
        print(answers.get())
        worker.join()
    print(common_folder(None))
"""


def run(command, **environment):
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *command], check=True, capture_output=True, text=True, timeout=30, env=os.environ | environment
    )
    return done.stdout.splitlines()


def asked(script, **environment):
    return run(["-c", f"import sys; from app_core.family import common_folder; {script}"], **environment)


def started(process):
    """As Linux tells it."""
    with open(f"/proc/{process}/stat") as file:  # noqa: PTH123 - one line
        return file.read().rpartition(")")[2].split()[19]


def of_process(process, start, number=0):
    return f"app_core-{os.geteuid()}-{process}-{start}-{SIZE}-{number}"


@pytest.fixture
def gone(tmp_path):
    """The folder of a server that is no more, with a worker that is dead too."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    folder = tmp_path / of_process(process.pid, 12)
    folder.mkdir()
    for name in ("lock", "instance.json", "7-8.ledger"):
        (folder / name).touch()
    return folder


def test_a_process_that_no_server_started_serves_alone():
    assert asked("print(common_folder(None))") == ["None"]


def test_the_workers_of_one_parent_have_a_folder_in_common_and_their_parent_has_none(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(_SPAWNED)
    first, second, parent = run([str(script)], TMPDIR=str(tmp_path))
    other, *_ = run([str(script)], TMPDIR=str(tmp_path))
    assert first == second
    assert first.startswith(f"{tmp_path}/app_core-")
    assert parent == "None"
    assert other != first


def test_the_workers_of_gunicorn_are_told_by_their_arbiter(tmp_path):
    (folder,) = asked(
        "import types; sys.modules['gunicorn.arbiter'] = types.ModuleType('arbiter'); print(common_folder(None))",
        TMPDIR=str(tmp_path),
    )
    assert folder == str(tmp_path / of_process(os.getpid(), started(os.getpid())))


def test_a_folder_that_was_given_is_used_under_any_parent(tmp_path):
    (folder,) = asked(f"from pathlib import Path; print(common_folder(Path({str(tmp_path)!r})))")
    assert folder == str(tmp_path / of_process(os.getpid(), started(os.getpid())))


def test_without_a_variable_it_is_the_folder_for_temporary_files():
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    script = "import types; sys.modules['gunicorn.arbiter'] = types.ModuleType('arbiter'); print(common_folder(None))"
    command = [sys.executable, "-c", f"import sys; from app_core.family import common_folder; {script}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30, env=environment)  # noqa: S603 - ours
    assert done.stdout.startswith("/tmp/app_core-")


def test_two_who_look_at_the_same_time_do_not_take_each_other_for_the_owner(tmp_path):
    path = tmp_path / "7-8.ledger"
    with path.open("w") as owner, path.open() as first, path.open() as second:
        fcntl.flock(first, fcntl.LOCK_SH)  # in the middle of its look
        assert not is_locked(second.fileno())
        fcntl.flock(first, fcntl.LOCK_UN)
        fcntl.flock(owner, fcntl.LOCK_EX)
        assert is_locked(second.fileno())


def test_two_apps_in_one_process_are_not_added_up(tmp_path):
    first = common_folder(tmp_path)
    worker = Worker(first, Clock())
    second = common_folder(tmp_path)
    assert first.name.endswith("-0")
    assert second.name.endswith("-1")
    worker.die()
    assert common_folder(tmp_path) == first


def test_a_folder_is_removed_when_its_server_is_gone(tmp_path, gone):
    common_folder(tmp_path)
    assert not gone.exists()


def test_a_folder_of_which_only_the_process_is_told_is_removed_too(tmp_path, gone):
    """It was made where the system told no start."""
    started_when = f"-12-{SIZE}-0"
    renamed = gone.rename(gone.with_name(gone.name.removesuffix(started_when) + f"--{SIZE}-0"))
    common_folder(tmp_path)
    assert not renamed.exists()


def test_a_folder_whose_worker_outlives_its_server_stays(tmp_path, gone):
    with (gone / "7-8.ledger").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        common_folder(tmp_path)
        assert (gone / "7-8.ledger").exists()
    common_folder(tmp_path)
    assert not gone.exists()


def test_a_process_id_that_came_again_is_another_server(tmp_path):
    before = tmp_path / of_process(os.getppid(), 1)
    before.mkdir()
    (before / "instance.json").touch()
    assert common_folder(tmp_path) != before
    assert not before.exists()


def test_the_folder_of_a_server_that_runs_stays(tmp_path):
    folders = [tmp_path / of_process(os.getpid(), started(os.getpid())), common_folder(tmp_path)]
    for folder in folders:
        folder.mkdir()
    common_folder(tmp_path)
    assert all(folder.exists() for folder in folders)


def test_what_only_looks_like_such_a_folder_stays(tmp_path, gone):
    strangers = [
        tmp_path / f"app_core-{os.geteuid()}-{name}" for name in ("", "7", "7-8-9", "x-8-9-0", "7-8-9-0-1", "-7-8-9-0")
    ]
    strangers += [tmp_path / f"app_core-{os.geteuid() + 1}-7-8-{SIZE}-0", tmp_path / "app_core-"]
    for folder in strangers:
        folder.mkdir()
        (folder / "file").touch()
    common_folder(tmp_path)
    assert all((folder / "file").exists() for folder in strangers)
    assert not gone.exists()


def test_a_link_to_other_files_removes_none_of_them(tmp_path, gone):
    files = tmp_path / "files"
    gone.rename(files)
    gone.symlink_to(files)
    common_folder(tmp_path)
    assert sorted(path.name for path in files.iterdir()) == ["7-8.ledger", "instance.json", "lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_a_folder_that_another_user_put_there_stays(tmp_path, gone):
    os.chown(gone, 12345, -1)
    common_folder(tmp_path)
    assert sorted(path.name for path in gone.iterdir()) == ["7-8.ledger", "instance.json", "lock"]


def test_a_pipe_that_somebody_put_there_holds_nobody_up(tmp_path, gone):
    os.mkfifo(gone / "9-9.ledger")
    common_folder(tmp_path)
    assert not gone.exists()


def test_where_the_system_tells_no_start_nothing_is_removed(tmp_path, gone):
    """As on macOS."""
    nothing = tmp_path / "nothing"
    assert common_folder(tmp_path, processes=nothing) == tmp_path / of_process(os.getppid(), "")
    assert gone.exists()


def test_a_folder_that_may_not_be_read_is_as_good_as_empty(tmp_path):
    assert common_folder(tmp_path / "missing" / "deep").parent == tmp_path / "missing" / "deep"
    (tmp_path / "file").touch()
    assert common_folder(tmp_path / "file").parent == tmp_path / "file"
