"""The checkout as a test sees it: its root, its tracked files, its sources."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "autoscaler", ROOT / "render_client", ROOT / "app_core" / "src" / "app_core")


def source_files() -> list[Path]:
    """Every Python file that is shipped."""
    return sorted(file for folder in SOURCES for file in folder.rglob("*.py"))


@cache
def syntax(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def name_of(file: Path) -> str:
    """Relative to the checkout, as people write it."""
    return file.relative_to(ROOT).as_posix()


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git tracks; of an unpacked archive, everything but caches and environments."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
        listed = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout.decode()  # noqa: S603 - git itself
        return tuple(file for name in listed.split("\0") if name and (file := ROOT / name).is_file())
    hidden = {".venv", "__pycache__", ".git"}
    found = (file for file in ROOT.rglob("*") if not hidden & {*file.parts} and "_cache" not in str(file))
    return tuple(file for file in found if file.is_file())
