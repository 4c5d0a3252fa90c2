"""Design, section 7: files around 300 lines, functions around 40, and words for everything that others call."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import name_of, source_files, syntax

MOST_LINES = 320
LONGEST_FUNCTION = 50

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def too_long(file: Path) -> Iterator[str]:
    """The file and the functions in it that are longer than a page."""
    lines = len(file.read_text(encoding="utf-8").splitlines())
    if lines > MOST_LINES:
        yield f"{name_of(file)}: {lines} lines"
    for node in ast.walk(syntax(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{name_of(file)}:{node.lineno}: {node.name} has {length} lines"


def wordless(body: list[ast.stmt], inside: str = "") -> Iterator[str]:
    """Public functions and classes without a docstring. An overload or a property's setter is told about at the first one."""
    told: set[str] = set()
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and node.name not in told:
            yield f"{node.lineno}: {inside}{node.name}"
        told.add(node.name)
        if isinstance(node, ast.ClassDef):
            yield from wordless(node.body, f"{node.name}.")


def test_no_file_and_no_function_is_longer_than_a_page():
    assert [long for file in source_files() for long in too_long(file)] == []


def test_everything_public_says_what_it_is():
    assert [f"{name_of(file)}:{line}" for file in source_files() for line in wordless(syntax(file).body)] == []


@pytest.mark.parametrize(
    ("source", "found"),
    (
        ("def seen(): ...", ["1: seen"]),
        ("class Seen:\n    '''One.'''\n    def look(self): ...", ["3: Seen.look"]),
        ("def _hidden(): ...\nclass Seen:\n    '''One.'''\n    def __init__(self): ...", []),
    ),
)
def test_a_missing_docstring_is_found(source, found):
    assert list(wordless(ast.parse(source).body)) == found
