"""Every test of a policy that is shipped, or that stands here as a scenario, by its own name."""

from pathlib import Path

import pytest

from autoscaler.engine.policytest import play
from autoscaler.engine.policytest_match import differences
from autoscaler.policyfile.cases_check import Script
from autoscaler.policyfile.cases_load import CaseFile, case_files, load_cases
from autoscaler.report.cases import Outcome, outcome_lines

HERE = Path(__file__).parent
FILES = [load_cases(path) for folder in (HERE.parents[1] / "policies", HERE) for path in case_files(folder)]
TESTS = [
    pytest.param(file, script, id=f"{Path(file.path).name.partition('.')[0]}: {script.case.name}")
    for file in FILES
    for script in file.scripts
]


@pytest.mark.parametrize(("file", "script"), TESTS)
def test_policy(file: CaseFile, script: Script):
    played = play(file.policy.policy, script)
    outcome = Outcome(
        file.path, script.case.name, script.mark.line, script.mark.column, len(played.looks), differences(played)
    )
    assert outcome.passed, "\n".join(outcome_lines(outcome))
