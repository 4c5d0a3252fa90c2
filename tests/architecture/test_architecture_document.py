"""docs/architecture.md and CONTRIBUTING.md name places in the code; each of them is there."""

import ast
import re

import pytest

from autoscaler.adapters.store.tables import metadata
from autoscaler.errors import ExitCode
from tests.support.checkout import ROOT, syntax

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLACES = sorted(
    set(re.findall(r"`((?:autoscaler|render_client|app_core|tests)/[\w/]+\.py(?::[\w.]+)?)`", TEXT + CONTRIBUTING))
)
WALKS = ("sample", "look at Render", "change")


def defined(body: list[ast.stmt], inside: str = "") -> set[str]:
    """Names of functions and classes, methods as Class.method."""
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(inside + node.name)
            if isinstance(node, ast.ClassDef):
                names |= defined(node.body, f"{inside}{node.name}.")
    return names


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_named_is_there(place):
    name, _, inside = place.partition(":")
    assert (ROOT / name).is_file()
    assert not inside or inside in defined(syntax(ROOT / name).body)


@pytest.mark.parametrize("walk", WALKS)
def test_every_step_of_a_walk_says_where(walk):
    _, _, section = TEXT.partition(f"## Life of a {walk}\n")
    steps = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    assert len(steps) >= 5
    assert [step for step in steps if not re.search(r"`autoscaler/[\w/]+\.py", step.rpartition(" | ")[2])] == []


def test_all_tables_are_told_about():
    _, _, section = TEXT.partition("## Where state lives\n")
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", section)) == set(metadata.tables)


def test_all_exit_codes_are_told_about():
    line = next(line for line in TEXT.splitlines() if line.startswith("`autoscaler/errors.py:ExitCode`"))
    assert [int(number) for number in re.findall(r"(?:: |· )(\d+) ", line)] == [code.value for code in ExitCode]


def test_the_order_inside_the_core_is_the_contract_s():
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8").partition("containers =\n    autoscaler.core\n")[2]
    layers = contract.partition("layers =\n")[2].partition("exhaustive")[0].split("\n")
    told = next(line for line in TEXT.splitlines() if line.endswith("> durations`."))
    assert told.strip("`.").split(" > ") == [", ".join(layer.strip().split(" | ")) for layer in layers if layer.strip()]
