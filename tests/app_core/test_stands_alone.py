"""app_core is installed in an app of 512 MB: nothing comes with it."""

import json
import subprocess
import sys


def modules_after(statement):
    script = (
        f"import sys, json\n{statement}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)  # noqa: S603 - our own interpreter
    return set(json.loads(ran.stdout))


def test_importing_it_loads_the_standard_library_and_nothing_else():
    loaded = modules_after("import app_core") - modules_after("")
    assert loaded - set(sys.stdlib_module_names) == {"app_core"}
