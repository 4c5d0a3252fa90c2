"""How much memory a fresh Python takes."""

import subprocess
import sys

import psutil

MB = 1024 * 1024


def resident_megabytes(statements: str, *arguments: str) -> float:
    """Resident memory of a fresh Python after the statements, looked at from outside. `arguments`: its `sys.argv`."""
    script = f"{statements}\nprint(flush=True)\ninput()"
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own interpreter, constant scripts
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "\n", f"this failed, see above: {statements}"
        size = float(psutil.Process(process.pid).memory_info().rss)
        process.communicate("\n")
    return size / MB
