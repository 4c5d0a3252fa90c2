"""Import direction is a test (design, section 3). The contracts stand in .importlinter."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, SOURCES, name_of, source_files, syntax

LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"

BROKEN = (
    ("autoscaler.core.plans", "autoscaler.settings"),
    ("autoscaler.core.window", "autoscaler.core.guards"),
    ("autoscaler.core.evaluate", "time"),
    ("autoscaler.report.units", "asyncio"),
    ("autoscaler.engine.drift", "autoscaler.adapters.health"),
    ("autoscaler.adapters.clock", "autoscaler.engine.due"),
    ("autoscaler.ports.telling", "autoscaler.bootstrap"),
    ("autoscaler.cli.status", "autoscaler.cli.history"),
    ("autoscaler.engine.reconciler", "render_client.client"),
    ("autoscaler.engine.outbox", "slack_sdk"),
    ("autoscaler.adapters.slack.notifier", "resvg_py"),
    ("autoscaler.engine.tick", "apscheduler"),
    ("autoscaler.cli.logs", "sqlalchemy"),
    ("autoscaler.adapters.terminal", "httpx"),
    ("autoscaler.bootstrap", "app_core"),
    ("render_client.budget", "autoscaler.errors"),
    ("render_client.pages", "render_client.sim.world"),
    ("render_client.sim.state", "render_client.models"),
    ("app_core.gauges", "render_client"),
    ("app_core.ledger", "app_core.view"),
    ("app_core.deduplication.backend", "redis"),
)
"""At least one import that each contract has to refuse: who, and what."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "app_core" / "src"), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", LINTER, "--no-cache", "--no-logo"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_import_goes_the_way_it_should():
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.fixture(scope="module")
def broken_tree(tmp_path_factory):
    """The checkout's sources with every import of BROKEN added, linted."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copy(ROOT / ".importlinter", folder)
    for source in SOURCES:
        shutil.copytree(source, folder / source.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__"))
    for importer, imported in BROKEN:
        base = folder / "app_core" / "src" if importer.startswith("app_core") else folder
        file = base / f"{importer.replace('.', '/')}.py"
        file.write_text(f"{file.read_text(encoding='utf-8')}\nimport {imported}\n", encoding="utf-8")
    return lint_imports(folder)


@pytest.mark.parametrize(("importer", "imported"), BROKEN)
def test_an_import_the_wrong_way_is_found(broken_tree, importer, imported):
    assert f"{importer} -> {imported}" in broken_tree.stdout.replace("\n", " ")


def test_there_is_no_contract_that_can_not_break(broken_tree):
    assert broken_tree.returncode == 1
    assert " KEPT" not in broken_tree.stdout


# What an app imports by itself when it uses the library that they are for.
EXTRAS = {
    "app_core/src/app_core/httpx_client.py": {"httpx"},
    "app_core/src/app_core/deduplication/redis.py": {"redis"},
}


def test_app_core_needs_nothing_but_the_standard_library():
    for file in source_files():
        name = name_of(file)
        if name.startswith("app_core"):
            assert imported_by(file) <= sys.stdlib_module_names | {"app_core"} | EXTRAS.get(name, set()), file


def imported_by(file: Path) -> set[str]:
    """Top-level names, wherever in the file they are imported."""
    names = {alias.name for node in ast.walk(syntax(file)) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(syntax(file)) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}
