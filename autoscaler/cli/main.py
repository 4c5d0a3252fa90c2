"""`autoscaler`: one command, one file. This one only joins them and turns errors into exit codes."""

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from autoscaler.cli import (
    approve,
    backtest,
    check,
    cost,
    demo,
    doctor,
    explain,
    history,
    init,
    metric,
    pause,
    reject,
    repair,
    resume,
    run,
    scale,
    schema,
    signal,
    status,
    test,
    undo,
    validate,
)
from autoscaler.cli.output import err, out
from autoscaler.errors import AutoscalerError, ExitCode
from autoscaler.policyfile import PolicyError

EPILOG = (
    "First steps: [bold]autoscaler init SERVICE[/bold] writes a policy and says what it would have done, then "
    "[bold]autoscaler check[/bold] to see what it would do now, and [bold]autoscaler run[/bold]."
)

app = typer.Typer(
    name="autoscaler",
    help="Keeps services on Render on the right instance plan.\n\n"
    "It polls each app's scaling health endpoint, judges the rules of its policy over their windows, changes the plan and "
    "the env vars that go with it in one deploy, verifies the result and tells the team.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        out.print(f"autoscaler {version('render-autoscaler')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_FIRST, _RUNS, _POLICIES, _TOLD = "First steps", "What it does, and why", "Policies", "What only people know"
_HAND = "By hand"
app.command("demo", rich_help_panel=_FIRST)(demo.demo)
app.command("init", rich_help_panel=_FIRST)(init.init)
app.command("doctor", rich_help_panel=_FIRST)(doctor.doctor)
app.command("check", rich_help_panel=_FIRST)(check.check)
app.command("run", rich_help_panel=_FIRST)(run.run)
app.command("status", rich_help_panel=_RUNS)(status.status)
app.command("explain", rich_help_panel=_RUNS)(explain.explain)
app.command("history", rich_help_panel=_RUNS)(history.history)
app.command("cost", rich_help_panel=_RUNS)(cost.cost)
app.command("scale", rich_help_panel=_HAND)(scale.scale)
app.command("approve", rich_help_panel=_HAND)(approve.approve)
app.command("reject", rich_help_panel=_HAND)(reject.reject)
app.command("undo", rich_help_panel=_HAND)(undo.undo)
app.command("pause", rich_help_panel=_HAND)(pause.pause)
app.command("resume", rich_help_panel=_HAND)(resume.resume)
app.command("repair", rich_help_panel=_HAND)(repair.repair)
app.command("validate", rich_help_panel=_POLICIES)(validate.validate)
app.command("test", help=test.FORMAT, rich_help_panel=_POLICIES)(test.run_tests)
app.command("backtest", rich_help_panel=_POLICIES)(backtest.backtest)
app.command("schema", rich_help_panel=_POLICIES)(schema.schema)
app.command("signal", rich_help_panel=_TOLD)(signal.signal)
app.add_typer(metric.app, name="metric", rich_help_panel=_TOLD)


def main() -> None:
    """The console script: 0 ok, 1 failed, 2 usage or bad policy, 3 a bug, 130 interrupted."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except AutoscalerError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `autoscaler history | head`
        sys.exit(ExitCode.OK)
    except Exception:  # noqa: BLE001 - the last line of defence: whatever comes here is a bug, and its exit code says so
        traceback.print_exc()
        err.print("[bold red]This is a bug.[/bold red] Please report it with the lines above.")
        sys.exit(ExitCode.BUG)


def _explain(error: AutoscalerError) -> None:
    if isinstance(error, PolicyError):
        for problem in error.problems:
            err.print(str(problem), markup=False)
    else:
        err.print(f"[bold red]error:[/bold red] {escape(str(error))}")


if __name__ == "__main__":
    main()
