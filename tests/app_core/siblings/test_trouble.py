"""Full disks, and folders that somebody tampers with: told in words, and whoever counts already counts on."""

import json
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from app_core.ledger import SIZE
from app_core.siblings import Siblings
from tests.support.workers import BIRTH, LONG, ledgers, open_files


@contextmanager
def files_of_at_most(size):
    """As on a full disk: more is not written; the write that crosses the bound is cut short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_a_worker_does_not_join_and_leaves_nothing_behind(hire, folder):
    first = hire()
    before = open_files()
    with files_of_at_most(100_000), pytest.raises(OSError, match="File too large"):
        Siblings(folder, BIRTH)
    assert open_files() == before
    assert {path.name for path in folder.iterdir()} == {"instance.json", "lock", *ledgers(folder)}
    assert len(ledgers(folder)) == 1
    assert first.look().processes == 1
    assert hire().look().processes == 2


def test_on_a_full_disk_nothing_is_folded_lost_or_doubled(hire, folder, clock, caplog):
    dead, heir = hire(), hire()
    dead.serve()
    dead.die()
    clock.advance(LONG)
    with files_of_at_most(1000):
        for _ in range(3):
            heir.retire()
            assert heir.look().requests == 1
    assert [record.message for record in caplog.records] == [
        f"processes that start from now on may be missing from the numbers, since {folder} can't be used: [Errno 27] File too large"
    ]
    heir.retire()
    assert len(ledgers(folder)) == 1
    assert heir.look().requests == hire().look().requests == 1


@pytest.mark.parametrize("content", ("", "{", "[]", '{"id": 1}', "null", "\udcff"))
def test_a_damaged_instance_file_is_told_to_who_would_join(hire, folder, content):
    hire()
    (folder / "instance.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(OSError, match=r"instance\.json is damaged, remove its folder"):
        Siblings(folder, BIRTH)
    assert len(ledgers(folder)) == 1


@pytest.mark.parametrize(
    "content", ("", "{", "[]", "{}", '{"files": [], "scalars": ["x"], "histograms": [], "named": []}')
)
def test_a_damaged_file_of_the_retired_is_told_to_who_would_join_and_others_count_on(hire, folder, content, caplog):
    first, second = hire(), hire()
    second.serve()
    assert first.look().requests == 1
    (folder / "retired.json").write_text(content)
    with pytest.raises(OSError, match=r"retired\.json is damaged, remove its folder"):
        Siblings(folder, BIRTH)
    second.serve()
    second.die()
    for _ in range(3):
        view = first.look()
        assert (view.requests, view.processes) == (2, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "retired.json is damaged" in caplog.text


@pytest.mark.parametrize("size", (0, SIZE - 8, SIZE + 8))
def test_a_file_of_another_size_is_told_to_who_would_join(hire, folder, size):
    hire()
    (folder / "1-2.ledger").write_bytes(bytes(size))
    before = open_files()
    with pytest.raises(OSError, match=rf"1-2\.ledger has {size} bytes instead of {SIZE}"):
        Siblings(folder, BIRTH)
    assert open_files() == before


def test_a_file_that_is_listed_and_not_there_is_told_to_who_would_join_and_others_count_on(hire, folder, caplog):
    """As it is for a moment while somebody else folds; here it stays so."""
    first = hire()
    first.serve()
    (folder / "1-2.ledger").symlink_to(folder / "nothing")
    with pytest.raises(OSError, match="changes all the time"):
        Siblings(folder, BIRTH)
    assert (first.look().requests, first.look().processes) == (1, 1)
    assert "changes all the time" in caplog.text


def test_a_worker_counts_on_when_its_folder_is_gone(hire, folder, caplog):
    first, second = hire(), hire()
    second.serve()
    assert first.look().requests == 1
    shutil.rmtree(folder)
    first.serve()
    second.serve()
    for _ in range(3):
        assert (first.look().requests, first.look().processes) == (3, 2)
        first.retire()
    second.die()
    assert (first.look().requests, first.look().processes) == (3, 1)
    assert len(caplog.records) == 1
    assert str(folder) in caplog.text


def test_a_worker_whose_file_was_removed_still_knows_itself(hire, folder):
    first, second = hire(), hire()
    first.serve()
    (folder / ledgers(folder)[0]).unlink()
    view = first.look()
    assert view.requests == 1
    assert first.siblings.own in [member.ledger for member in first.siblings.members() if member.alive]
    assert second.look().processes == 1


def test_a_folder_of_another_user_is_refused(tmp_path):
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, -1)
        folder = tmp_path
    else:
        folder = Path("/")
    with pytest.raises(PermissionError, match="belongs to another user"):
        Siblings(folder, BIRTH)
    assert not (folder / "instance.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link of another user")
def test_a_link_of_another_user_to_a_folder_of_ours_is_refused(tmp_path):
    ours, link = tmp_path / "ours", tmp_path / "link"
    ours.mkdir()
    link.symlink_to(ours)
    os.lchown(link, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        Siblings(link, BIRTH)
    assert not list(ours.iterdir())


def test_others_may_neither_read_nor_enter_the_folder(hire, folder):
    mask = os.umask(0)
    try:
        hire()
    finally:
        os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_written_can_be_read_by_who_repairs_it(hire, folder, clock):
    dead, heir = hire(), hire()
    dead.serve()
    dead.die()
    clock.advance(LONG)
    heir.retire()
    assert json.loads((folder / "instance.json").read_text()) == BIRTH._asdict()
    assert sorted(json.loads((folder / "retired.json").read_text())) == ["files", "histograms", "named", "scalars"]
    assert not (folder / "draft").exists()
