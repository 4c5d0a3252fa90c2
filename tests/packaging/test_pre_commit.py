"""The hooks run from the checkout's own environment, and the one for policies really stops a commit."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.checkout import ROOT

REPOSITORIES = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
HOOKS = [hook for repository in REPOSITORIES for hook in repository["hooks"]]
(OFFERED,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def run(entry: str, folder: Path, *files: str) -> int:
    """A hook's entry as pre-commit starts it, with this environment's programs."""
    program, *arguments = entry.split()
    command = [str(Path(sys.executable).with_name(Path(program).name)), *arguments, *files]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=30, check=False).returncode  # noqa: S603 - our own hooks


def test_no_hook_comes_from_the_network():
    assert {repository["repo"] for repository in REPOSITORIES} == {"local"}
    assert {hook["language"] for hook in HOOKS} == {"system"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_every_hook_s_program_is_in_the_environment_that_make_sets_up(hook):
    program = Path(hook["entry"].split()[0])
    assert program.parent.as_posix() == ".venv/bin"
    assert Path(sys.executable).with_name(program.name).exists()


def test_ruff_s_hooks_stop_what_ruff_refuses(tmp_path):
    (tmp_path / "bad.py").write_text("import os\n")
    (tmp_path / "good.py").write_text("A = 1\n")
    check = next(hook for hook in HOOKS if hook["id"] == "ruff-check")
    assert run(check["entry"], tmp_path, "bad.py") == 1
    assert run(check["entry"], tmp_path, "good.py") == 0


@pytest.mark.parametrize("hook", (*HOOKS[-1:], OFFERED), ids=("ours", "offered"))
def test_a_bad_policy_stops_the_commit(hook, tmp_path):
    policies = tmp_path / "policies"
    policies.mkdir()
    sound = (ROOT / "policies" / "holisticos.yaml").read_text(encoding="utf-8")
    (policies / "api.yaml").write_text(sound, encoding="utf-8")
    assert run(hook["entry"], tmp_path) == 0
    (policies / "again.yaml").write_text(sound, encoding="utf-8")
    assert run(hook["entry"], tmp_path) == 2, "two policies for one service"


def test_both_hooks_for_policies_are_the_same():
    ours = HOOKS[-1]
    assert {key: ours[key] for key in ("id", "pass_filenames", "files")} == {
        key: OFFERED[key] for key in ("id", "pass_filenames", "files")
    }
    assert ours["entry"] == f".venv/bin/{OFFERED['entry']}"
