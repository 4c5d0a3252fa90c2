"""`autoscaler check`: one pass, the verdict with its reasons, the exact calls it would make. Changes nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from autoscaler.bootstrap import Checking, checking
from autoscaler.cli.explained import draw
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption, ServiceArgument, sound_policies
from autoscaler.cli.output import err, out, print_json
from autoscaler.core.observations import Missed
from autoscaler.core.preview import preview
from autoscaler.core.steps import AskDeploy, CancelDeploy, Redeploy, SetEnv, SetInstances, SetPlan, Write
from autoscaler.engine.adoption import adopt
from autoscaler.engine.explaining import explained
from autoscaler.engine.look import look
from autoscaler.engine.managed import Managed
from autoscaler.engine.tick import Pass
from autoscaler.errors import AutoscalerError, ExitCode, OutsideError
from autoscaler.policyfile import PolicyFile
from autoscaler.report.explain import Explanation
from autoscaler.report.explain_json import document
from autoscaler.settings import load_settings

DUE = 2
"""What `--detailed-exitcode` returns when a change is due, as Terraform's plan does."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One service, looked at once."""

    managed: Managed
    result: Pass
    explanation: Explanation
    calls: tuple[dict[str, object], ...]
    note: str


def check(
    service: ServiceArgument = None,
    policies: PoliciesOption = POLICIES,
    *,
    as_json: JsonOption = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit 0 when nothing is due, 2 when a change is, 1 on any error."),
    ] = False,
) -> None:
    """Make one pass, say the verdict with its reasons and the exact calls it would make, and change nothing.

    Windows are filled from the worker's database (DATABASE_URL), if there is one; else they begin with this pass, and little
    can be due. Exits 1 when an app gives no reading.
    """
    try:
        files = sound_policies(policies, only=service)
        checked, failed = asyncio.run(_check(files))
    except AutoscalerError as error:
        if detailed_exitcode and error.exit_code == ExitCode.USAGE:
            err.print(str(error), markup=False)
            raise typer.Exit(ExitCode.FAILED) from None
        raise
    if as_json:
        print_json([_document(one) for one in checked])
    else:
        for one in checked:
            _print(one)
    if failed or any(one.result.verdict.blind for one in checked):
        raise typer.Exit(ExitCode.FAILED)
    if detailed_exitcode and any(one.result.verdict.goes for one in checked):
        raise typer.Exit(DUE)


async def _check(files: Sequence[PolicyFile]) -> tuple[list[Checked], bool]:
    checked, failed = [], False
    async with checking(load_settings()) as parts:
        for file in files:
            try:
                checked.append(await _one(parts, file))
            except OutsideError as error:
                err.print(f"{file.place}: error: {error}", markup=False)
                failed = True
    return checked, failed


async def _one(parts: Checking, file: PolicyFile) -> Checked:
    managed = await adopt(file, parts.render, parts.history, parts.clock, {})
    observations = await parts.ticker.observe(managed)
    result = await parts.ticker.judge(managed, observations)
    explanation = await explained(parts.ticker, managed, result.verdict, parts.history, unrecorded=observations)
    if result.change is None:
        return Checked(managed, result, explanation, (), "")
    world = await look(parts.render, result.change, managed, parts.clock.now())
    shown = preview(result.change, world, parts.clock.now())
    calls = tuple(_call(managed.service_id, write) for write in shown.writes)
    return Checked(managed, result, explanation, calls, shown.note)


def _call(service_id: str, write: Write) -> dict[str, object]:
    """The HTTP call behind a step, as it would go out."""
    path = f"/v1/services/{service_id}"
    match write:
        case SetPlan(plan):
            return {"method": "PATCH", "path": path, "body": {"serviceDetails": {"plan": plan}}}
        case SetInstances(count):
            return {"method": "POST", "path": f"{path}/scale", "body": {"numInstances": count}}
        case SetEnv(name, value):
            return {"method": "PUT", "path": f"{path}/env-vars/{name}", "body": {"value": value}}
        case AskDeploy(commit=None):
            return {"method": "POST", "path": f"{path}/deploys", "body": {"deployMode": "deploy_only"}}
        case AskDeploy(commit=commit) | Redeploy(commit=commit):
            return {"method": "POST", "path": f"{path}/deploys", "body": {"commitId": commit}}
        case CancelDeploy(deploy):
            return {"method": "POST", "path": f"{path}/deploys/{deploy}/cancel", "body": None}


def _document(checked: Checked) -> dict[str, object]:
    observation, verdict = checked.result.observation, checked.result.verdict
    missed = {"reason": observation.reason, "detail": observation.detail} if isinstance(observation, Missed) else None
    return document(checked.explanation) | {
        "policy": checked.managed.file.path,
        "due": verdict.goes,
        "missed": missed,
        "calls": list(checked.calls),
        "note": checked.note,
    }


def _print(checked: Checked) -> None:
    draw(checked.explanation, out)
    if checked.calls:
        out.print(f"It would make these {len(checked.calls)} calls:")
        for call in checked.calls:
            out.print(f"  {call['method']:<5} {call['path']}  {call['body']}", markup=False, soft_wrap=True)
    elif checked.result.verdict.goes:
        out.print(f"It would make no call now: {checked.note}", markup=False)
    out.print("Nothing was changed.\n")
