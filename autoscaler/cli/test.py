"""`autoscaler test`: plays the tests that stand beside the policies."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import POLICIES, JsonOption
from autoscaler.cli.output import err, out, print_json
from autoscaler.engine.policytest import Played, play
from autoscaler.engine.policytest_coverage import coverage
from autoscaler.engine.policytest_match import differences
from autoscaler.errors import ExitCode
from autoscaler.policyfile import PolicyError, PolicyFile
from autoscaler.policyfile.cases_load import CaseFile, case_files, load_cases
from autoscaler.policyfile.problems import LocatedProblem
from autoscaler.report.cases import Coverage, Outcome, coverage_lines, outcome_lines, percent, summary

FORMAT = """Play the tests of policies: what each poll shows, and what must come of it. Talks to nobody.

\b
policies/api.test.yaml stands beside policies/api.yaml:
  series: {avg_response_time: 2s, memory_usage: 150MB}  # an ordinary day, for every test
  tests:
    - name: an hour of slow answers sends it up
      series: {avg_response_time: 2s x1h 9s}            # value x how long, or polls; the last one stays
      expect:
        - {at: 1h59m, verdict: hold}
        - {by: 2h5m, verdict: up to scaled, because: avg_response_time > 8s for 1h}
      changes: \\[up to scaled by 2h5m]

\b
series   by metric: 2x60 9x1h · 200MB+1MB x6h, a ramp · (0x8h 4x16h), again and again · nan · and for a poll
         without a report: _ (nobody looked), stale, timeout, refused, reset, login
         requests: 0x8h 20 (how many come between two polls; 20 if not said) · polls: ok x1h 503 x5 ok
         dependency:api.openai.com: 95% (of the response time) · what a test leaves out is as the file says
events   signals: {complaints: [10m, 2h], oom_kills: 5m+3m x4} · deploys: 09:00+1d x5 · restarts: 2h ·
         by_hand: scaled at 2h · masks: 1h and 2h
setting  start: 2026-06-01 08:00 Europe/Berlin · tier: scaled · every: 5m · lasts: 7d · approved: yes ·
         facts: {last_change: 2h, changes_today: 3, spent: 55, suspended: yes, disk: yes, observer_suspect: yes}
expect   at: 1h5m, by: tue 10:00, between: 1h and 2h, or during: mon-fri 09:00-17:00 Europe/Berlin;
         verdict: hold, up, down or emergency to scaled; why: cooldown; because: a condition;
         not_before: 3h; tier: mvp; leak: yes
whole    changes: and alerts: list all that come, in order, each with at, by or between if you like

Exits 1 when a test fails or too little is covered, 2 when a file can't be used.
"""
"""What `--help` says."""


def run_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of tests, policies that have tests beside them, or folders; by default policies/."),
    ] = None,
    *,
    with_coverage: Annotated[
        bool, typer.Option("--coverage", help="Say which rules and guards no test reaches.")
    ] = False,
    min_coverage: Annotated[
        float | None, typer.Option("--min-coverage", min=0, max=100, help="Exit 1 below so many per cent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play the tests of policies; `FORMAT` says what they look like."""
    begun = time.perf_counter()
    files = _load(paths or [POLICIES])
    played = [(file, [play(file.policy.policy, script) for script in file.scripts]) for file in files]
    outcomes = tuple(_outcome(file.path, one) for file, all_of_it in played for one in all_of_it)
    reached = _coverage(played)
    seconds = time.perf_counter() - begun
    too_little = [one for one in reached if min_coverage is not None and one.share * 100 < min_coverage]
    if as_json:
        print_json(_document(outcomes, reached))
    else:
        _print(outcomes, seconds)
        _print_coverage(reached if with_coverage else too_little, min_coverage)
    if too_little or not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)


def _load(paths: Sequence[Path]) -> list[CaseFile]:
    """Every file that is meant. Raises PolicyError with the problems of all that can't be used."""
    files: list[CaseFile] = []
    problems: list[LocatedProblem] = []
    for path in paths:
        try:
            names = case_files(path)
        except PolicyError as error:
            problems += error.problems
            continue
        for name in names:
            try:
                files.append(load_cases(name))
            except PolicyError as error:
                problems += error.problems
    if problems:
        raise PolicyError(list(dict.fromkeys(problems)))
    return files


def _outcome(path: str, played: Played) -> Outcome:
    script = played.script
    name, mark = script.case.name, script.mark
    return Outcome(path, name, mark.line, mark.column, len(played.looks), differences(played))


def _coverage(played: Sequence[tuple[CaseFile, Sequence[Played]]]) -> tuple[Coverage, ...]:
    """One a policy, whichever files test it."""
    by_policy: dict[str, list[Played]] = defaultdict(list)
    policies: dict[str, PolicyFile] = {}
    for file, all_of_it in played:
        path = str(Path(file.policy.path).resolve())
        policies.setdefault(path, file.policy)
        by_policy[path] += all_of_it
    return tuple(coverage(file.path, file.policy, by_policy[path]) for path, file in policies.items())


def _print(outcomes: Sequence[Outcome], seconds: float) -> None:
    path = ""
    for outcome in outcomes:
        if outcome.file != path:
            path = outcome.file
            out.print(path, markup=False, soft_wrap=True)
        for line in outcome_lines(outcome):
            out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print(summary(tuple(outcomes), seconds), markup=False)


def _print_coverage(reached: Sequence[Coverage], least: float | None) -> None:
    for one in reached:
        for line in coverage_lines(one):
            out.print(line, markup=False, soft_wrap=True)
        if least is not None and one.share * 100 < least:
            err.print(
                f"{one.policy}: {percent(one.share)} is less than the {least:g}% that are asked for", markup=False
            )


def _document(outcomes: Sequence[Outcome], reached: Sequence[Coverage]) -> dict[str, object]:
    return {
        "passed": all(outcome.passed for outcome in outcomes),
        "tests": [asdict(outcome) | {"passed": outcome.passed} for outcome in outcomes],
        "coverage": [asdict(one) | {"share": round(one.share, 4)} for one in reached],
    }
