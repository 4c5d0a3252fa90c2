"""Each code of a problem is explained, and nothing is explained that no check says."""

import ast
import re

from autoscaler.policyfile.codes import CODES
from tests.support.checkout import ROOT

CHECKS = (
    *(ROOT / "autoscaler" / "policyfile").glob("*.py"),
    *(ROOT / "autoscaler" / "core" / name for name in ("lint.py", "rule_doubts.py", "guard_doubts.py")),
)


def words() -> set[str]:
    """Every text of the checks that could be a code."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in CHECKS if path.name != "codes.py")
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def said() -> set[str]:
    """The codes that the checks of policies give: first of `error(…)` and `warning(…)`."""
    found: set[str] = set()
    for path in CHECKS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"error", "warning"}:
                first = node.args[0]
                assert isinstance(first, ast.Constant), f"{path.name}:{node.lineno}: a code that no reader can look up"
                found.add(str(first.value))
    return found


def test_every_code_of_a_check_is_explained():
    assert said() - set(CODES) == set()
    assert len(said()) > 30


def test_nothing_is_explained_that_is_never_said():
    assert set(CODES) - words() == set()


def test_an_explanation_is_made_of_sentences():
    assert [
        code for code, text in CODES.items() if not re.fullmatch(r"[A-Z'].*\.", text) and not text.endswith("text.")
    ] == []
