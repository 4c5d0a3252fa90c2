"""What a fresh clone needs: make as old as macOS ships it, CI that runs what developers run, no registry's name anywhere."""

import os
import re
import shutil
import subprocess

import pytest

from tests.support.checkout import ROOT, name_of, tracked_files

NEWER_THAN_3_81 = (
    r"\.ONESHELL|\.SHELLFLAGS|\.EXTRA_PREREQS|:{2,3}=|!=|\$\((?:file|let|intcmp) |&:|^(?:define .*=|undefine|private )"
)
"""GNU make's NEWS, 3.82 to 4.4."""

# In pieces, so that this file does not itself name one.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "yarn" + "pkg.com",
    "crates" + ".io",
    "proxy.go" + "lang.org",
    "ruby" + "gems.org",
    "repo1." + "maven.org",
]


def newer_make(makefile: str) -> list[str]:
    """Lines that a make of 2006 can't read; recipes are the shell's."""
    lines = [line for line in makefile.splitlines() if not line.startswith(("\t", "#"))]
    return [line for line in lines if re.search(NEWER_THAN_3_81, line)]


def test_the_makefile_works_with_the_make_of_macos():
    assert newer_make((ROOT / "Makefile").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", (".ONESHELL:", "HERE != pwd", "A ::= b", "X := $(file < y)", "a b &: c", "define X ="))
def test_a_newer_make_s_syntax_is_seen(line):
    assert newer_make(f"{line}\n\techo x != y\n") == [line]


def test_every_target_is_explained_by_make_help():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile)) - {"help"}
    assert targets == set(re.findall(r'@echo "make ([a-z]+) ', makefile))
    assert targets | {"help"} == set(re.findall(r"(?m)^\.PHONY:(.*)$", makefile)[0].split())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ("demo", "test", "lint", "format", "bench", "clean"))
def test_make_knows_how(target):
    make = shutil.which("make")
    assert make is not None
    planned = subprocess.run(  # noqa: S603 - make itself; it only says what it would do
        [make, "--dry-run", "--directory", str(ROOT), target], capture_output=True, text=True, timeout=30, check=False
    )
    assert planned.returncode == 0, planned.stderr


def test_ci_runs_what_developers_run():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make lint test" in script.read_text(encoding="utf-8").splitlines()


def test_no_tracked_file_names_a_package_registry():
    pattern = re.compile("|".join(map(re.escape, REGISTRIES)).encode())
    assert [name_of(file) for file in tracked_files() if pattern.search(file.read_bytes())] == []


def test_tracked_files_are_found_at_all():
    assert {"Makefile", "pyproject.toml", "autoscaler/ports/__init__.py"} <= {name_of(file) for file in tracked_files()}
