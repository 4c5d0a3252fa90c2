"""What import contracts can't see: calls that ask for the time or a file, and who writes to Render."""

import ast

from tests.support.checkout import ROOT, name_of, source_files, syntax

PURE = ("autoscaler/core/", "autoscaler/report/")
CLOCKS_AND_FILES = frozenset({"now", "utcnow", "today", "open", "print", "input", "urlopen", "urlretrieve"})
WRITES = frozenset({"cancel", "set_plan", "set_env", "set_instances", "deploy"})


def calls(tree: ast.AST) -> set[str]:
    """The last name of everything that is called."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in called}


def test_what_decides_and_words_is_given_the_time_and_opens_no_file():
    asking = {
        name_of(file): found
        for file in source_files()
        if name_of(file).startswith(PURE) and (found := calls(syntax(file)) & CLOCKS_AND_FILES)
    }
    assert asking == {}


def test_a_call_that_asks_for_the_time_would_be_seen():
    assert calls(ast.parse("at = datetime.now(UTC)\nopen('x')")) & CLOCKS_AND_FILES == {"now", "open"}


def test_only_the_reconciler_writes_to_render():
    writers = {
        name_of(file)
        for file in source_files()
        if name_of(file).startswith("autoscaler/") and awaited(syntax(file)) & WRITES
    }
    assert writers == {"autoscaler/engine/reconciler.py"}


def awaited(tree: ast.AST) -> set[str]:
    """Methods whose call is awaited: the writes of ports.RenderPort are coroutines."""
    return calls(ast.Module([ast.Expr(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)], []))


def test_the_writes_looked_for_are_all_that_the_port_has():
    port = next(
        node
        for node in syntax(ROOT / "autoscaler/ports/outside.py").body
        if isinstance(node, ast.ClassDef) and node.name == "RenderPort"
    )
    methods = {node.name for node in port.body if isinstance(node, ast.AsyncFunctionDef)}
    reads = {"find_service", "env", "deploys", "failures", "plans_set", "samples"}
    assert methods - reads == WRITES
