"""Files and folders as people leave them: a bad file never stops the good ones."""

import hashlib
import os
from pathlib import Path

import pytest

from autoscaler.policyfile import Loaded, PolicyError, load_file, load_folder
from tests.support.policy_texts import SOUND, edited


def refused(path: Path) -> str:
    with pytest.raises(PolicyError) as error:
        load_file(path)
    assert len(error.value.problems) == 1
    return str(error.value)


def folder(path: Path, **files: str) -> Loaded:
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_folder(path)


def test_a_file_gives_its_policy_its_path_and_the_digest_of_its_text(tmp_path: Path):
    path = tmp_path / "app.yaml"
    path.write_text(SOUND, encoding="utf-8")
    loaded = load_file(path)
    assert loaded.policy.service.id == "srv-abc123"
    assert loaded.path == str(path)
    assert loaded.digest == hashlib.sha256(SOUND.encode()).hexdigest()[:12]
    assert loaded.warnings == ()


def test_files_that_cannot_be_read_say_why(tmp_path: Path):
    path = tmp_path / "app.yaml"
    assert refused(path) == f"{path}:1:1: error: this file can't be read: No such file or directory"
    assert "this is a folder, not a policy file: name a file in it" in refused(tmp_path)
    path.write_bytes(SOUND.encode() + b"# caf\xe9\n")
    assert refused(path) == f"{path}:20:6: error: this is no UTF-8 text: save the file as UTF-8"
    path.write_bytes(SOUND.encode("utf-16"))
    assert "this is no UTF-8 text" in refused(path)
    path.write_bytes(b"#" * 1_000_001)
    assert "this file is larger than 1 MB" in refused(path)
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "app.yaml")
    assert "this is no ordinary file" in refused(tmp_path / "app.yaml")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_says_so(tmp_path: Path):
    path = tmp_path / "app.yaml"
    path.write_text(SOUND, encoding="utf-8")
    path.chmod(0)
    assert "Permission denied" in refused(path)


def test_a_byte_order_mark_is_no_problem(tmp_path: Path):
    path = tmp_path / "app.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.encode())
    assert load_file(path).policy.mode == "act"


def test_a_folder_gives_its_sound_policies_and_the_problems_of_the_others(tmp_path: Path):
    loaded = folder(tmp_path, b=SOUND, a=edited(("srv-abc123", "srv-other")), c=edited(("mode: act", "mood: act")))
    assert [Path(file.path).name for file in loaded.files] == ["a.yaml", "b.yaml"]
    assert [(Path(problem.file).name, problem.line) for problem in loaded.errors] == [("c.yaml", 2)]


def test_warnings_are_told_and_stop_nothing(tmp_path: Path):
    loaded = folder(tmp_path, a=edited(("memory_usage < 200MB", "memory_usage < 300MB")))
    assert len(loaded.files) == 1
    assert loaded.errors == ()
    assert [problem.code for problem in loaded.problems] == ["thin_band"]


def test_hidden_files_tests_and_other_files_are_left_out(tmp_path: Path):
    for name in (".hidden.yaml", "app.test.yaml", "app.test.yml", "notes.md", "app.yaml.bak"):
        (tmp_path / name).write_text("junk: [", encoding="utf-8")
    (tmp_path / "app.yml").write_text(SOUND, encoding="utf-8")
    loaded = load_folder(tmp_path)
    assert len(loaded.files) == 1
    assert loaded.problems == ()


@pytest.mark.parametrize("line", ("id: srv-abc123", "name: holisticos-api"))
def test_two_policies_for_one_service_are_told_at_both_places_and_neither_runs(tmp_path: Path, line: str):
    text = edited(("id: srv-abc123", line))
    loaded = folder(tmp_path, a=text, b=text, c=edited(("srv-abc123", "srv-other")))
    assert [Path(file.path).name for file in loaded.files] == ["c.yaml"]
    first, second = loaded.errors
    assert (first.line, first.column, first.code) == (4, line.index(" ") + 4, "duplicate_service")
    assert str(tmp_path / "b.yaml") + ":4" in first.message
    assert str(tmp_path / "a.yaml") + ":4" in second.message


def test_an_id_and_a_name_that_are_spelled_alike_are_two_services(tmp_path: Path):
    loaded = folder(tmp_path, a=SOUND, b=edited(("id: srv-abc123", "name: srv-abc123")))
    assert len(loaded.files) == 2


def test_a_folder_without_policies_or_no_folder_at_all_says_what_to_do(tmp_path: Path):
    for path in (tmp_path, tmp_path / "missing"):
        loaded = load_folder(path)
        assert loaded.files == ()
        assert [problem.code for problem in loaded.errors] in (["no_policies"], ["unreadable"])
        assert "copy policies/holisticos.yaml" in str(loaded.errors[0])


def test_a_folder_named_like_a_policy_is_told_and_holds_up_no_other(tmp_path: Path):
    (tmp_path / "dir.yaml").mkdir()
    loaded = folder(tmp_path, a=SOUND)
    assert len(loaded.files) == 1
    assert [problem.code for problem in loaded.errors] == ["unreadable"]
