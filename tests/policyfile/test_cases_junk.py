"""Whatever stands in a file of policy tests, it is read or told about: it never ends in a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.engine.policytest import play
from autoscaler.engine.policytest_match import differences
from autoscaler.policyfile import PolicyError
from autoscaler.policyfile.cases_load import read_cases
from tests.support.policy_texts import SOUND

WHOLE: dict[str, Any] = {
    "policy": "p.yaml",
    "start": "2026-06-01 08:00 Europe/Berlin",
    "tier": "small",
    "every": "1m",
    "approved": "yes",
    "series": {"memory_usage": "150MB"},
    "tests": [
        {
            "name": "t",
            "series": {"memory_usage": "150MB x5m 450MB", "polls": "ok", "requests": "20"},
            "signals": {"oom_kills": ["5m"]},
            "deploys": ["5m+1m x2"],
            "restarts": "3m",
            "by_hand": ["large at 7m"],
            "masks": ["1m and 2m"],
            "facts": {"last_change": "1h", "changes_today": "1", "spent": "5", "suspended": "no"},
            "lasts": "10m",
            "expect": [{"at": "5m", "verdict": "hold", "why": "steady", "tier": "small"}],
            "changes": ["up to large by 9m"],
            "alerts": [],
        }
    ],
}
WRONG = (
    "",
    "x",
    "-1",
    "0",
    "9999999999",
    "1e9",
    "nan",
    "\u202e",
    "5m",
    "yes",
    None,
    [],
    ["x"],
    [[]],
    {},
    {"x": "y"},
    [{}],
    "a" * 5000,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in below:
        yield from places(child, (*path, step))


def replaced(path: tuple[str | int, ...], wrong: Any) -> str:
    root = json.loads(json.dumps(WHOLE))
    node = root
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = wrong
    return json.dumps(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("policies")
    (path / "p.yaml").write_text(SOUND, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", list(places(WHOLE)), ids=lambda path: ".".join(map(str, path)))
def test_each_value_replaced_by_each_wrong_one_is_read_or_told(folder, path):
    for wrong in WRONG:
        try:
            file = read_cases(replaced(path, wrong), folder / "p.test.yaml")
        except PolicyError as error:
            told = [str(problem) for problem in error.problems]
        else:
            told = [
                difference.came
                for script in file.scripts
                for difference in differences(play(file.policy.policy, script))
            ]
        assert all(len(line) < 1000 for line in told), (wrong, told)
