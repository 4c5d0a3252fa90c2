"""Every problem at once, each at its line and column, in plain words."""

import re

import pytest

from autoscaler.policyfile import PolicyError, load_text
from tests.support.policy_texts import SOUND, edited, lines, told

TEN_MISTAKES = """\
version: 1
mood: act
service:
  id: srv-abc123
  health:
    url: https://app.example.com/api/health/scaling
    every: 30
    timeout: 10s
tiers:
  - name: large
    plan: standard
    env: {POOL: 6, CACHE: 9}
    scale_up:
      any:
        - memry_usage > 1GB for 30m
        - memory_percent > 80% for 30m
  - name: small
    plan: starter
    plan: starter
    env:
      POOL: 3
      CACHE:
    scale_down:
      all:
        - memory_percent < 90% for 48h
        - avg_response_time < 3 for 24h
guards: {headroom: 25}
schedules:
  - {during: "mon-fri 08:00-20:00 Europe/Berln", at_least: huge}
emergency:
  any: [oom_kills >= 2]
"""


def test_a_file_with_ten_mistakes_and_more_tells_all_of_them_at_once_with_their_places():
    found = [(problem.line, problem.column, problem.code) for problem in told(TEN_MISTAKES)]
    assert found == [
        (2, 1, "unknown_key"),
        (7, 12, "wrong_value"),
        (15, 11, "wrong_value"),
        (18, 11, "ladder"),
        (19, 5, "duplicate_key"),
        (22, 7, "no_value"),
        (25, 11, "overlap"),
        (26, 11, "wrong_value"),
        (27, 20, "wrong_value"),
        (29, 14, "wrong_value"),
        (31, 9, "wrong_value"),
    ]


def test_a_problem_reads_as_file_line_column_severity_message_and_hint():
    assert lines(edited(("mode: act", "mood: act")))[0] == "p.yaml:2:1: error: unknown key 'mood': did you mean 'mode'?"


def test_the_exception_carries_the_problems_and_its_text_is_their_lines():
    with pytest.raises(PolicyError) as refused:
        load_text(edited(("mode: act", "mode: acct"), ("srv-abc123", "abc")), "p.yaml")
    assert str(refused.value).splitlines() == [str(problem) for problem in refused.value.problems]
    assert [problem.line for problem in refused.value.problems] == [2, 4]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    (
        ("version: 1", "version: 2", "1:10: error: 'version' is not known to this release: write 1"),
        ("mode: act", "mode: obsrve", "2:7: error: 'mode' can't be 'obsrve': did you mean 'observe'?"),
        ("mode: act", "mode: [act]", "2:1: error: 'mode' takes one of observe, ask, act"),
        ("  id: srv-abc123", "  id: abc", "4:7: error: 'id' is no id of a Render service"),
        ("  id: srv-abc123", "  id: srv-abc\n  name: app", "3:1: error: name the service once"),
        ("    url: https", "    uri: https", "6:5: error: unknown key 'uri': did you mean 'url'?"),
        ("    url: https", "    uri: https", "5:3: error: 'url' is missing: write 'url: https://…/api/health/scaling'"),
        ("https://app.example.com/api/health/scaling", "ftp://x", "6:10: error: 'url' is no address"),
        ("plan: starter", "plan: startr", "9:11: error: unknown plan 'startr': did you mean 'starter'?"),
        ("plan: starter", "plan: free", "9:11: error: unknown plan 'free': "),
        ("plan: starter", "plan: {name: starter}", "9:5: error: 'plan' takes one value, not 'key: value' lines"),
        ("plan: starter", "plan: starter\n    instances: 0", "10:16: error: 'instances' must be at least 1"),
        ("plan: starter", "plan: starter\n    instances: 500", "10:16: error: 'instances' must be at most 100"),
        ("plan: starter", "plan: starter\n    instances: two", "10:16: error: 'two' is no whole number"),
        ("name: small", "name: a b", "8:11: error: 'name' may hold letters, digits, - and _ only"),
        ("env: {POOL: 3}", "env: {PO OL: 3}", "10:11: error: 'PO OL' is no name of an environment variable"),
        ("env: {POOL: 3}", "env: [POOL]", "10:5: error: 'env' takes 'key: value' lines, not a list"),
        ("env: {POOL: 3}", "env: {POOL: [3]}", "10:11: error: 'POOL' takes one value, not a list"),
        ("memory_usage > 400MB for 30m", "memory > 4MB for 1h", "13:11: error: unknown metric 'memory'"),
        ("memory_usage > 400MB for 30m", "memory_usage > 400 for 30m", "13:11: error: memory_usage needs a unit"),
        ("      all:", "      any:", "17:5: error: a way down needs 'all:'"),
        ("      any:\n        - memory_usage > 400MB for 30m", "      any: []", "12:7: error: 'any' is empty"),
        (
            "      any:\n        - memory_usage > 400MB for 30m",
            "      any: x",
            "12:12: error: 'any' takes a list, not a text",
        ),
    ),
)
def test_each_mistake_is_told_in_plain_words_at_its_place(old: str, new: str, expected: str):
    assert [line for line in lines(edited((old, new))) if line.startswith(f"p.yaml:{expected}")]


@pytest.mark.parametrize(
    ("section", "expected"),
    (
        (
            "alerts: [{name: a, when: error_rate > 5% for 1h, do: investigat}]",
            "'do' can't be 'investigat': did you mean 'investigate'?",
        ),
        (
            "alerts: [{name: a, when: error_rate > 5% for 1h, do: {atleast: small}}]",
            "unknown key 'atleast': did you mean 'at_least'?",
        ),
        ("alerts: [{name: a, do: notify}]", "'when' is missing: write 'when: error_rate > 5% for 1h'"),
        ("guards: {headroom: 25}", "'25' is no percentage: write 25%"),
        ("guards: {max_changes: 4}", "'4' is no daily limit: write '4 per day'"),
        ("guards: {budget: {monthly: lots}}", "'lots' is no amount in USD: write a number such as 60 or 12.50"),
        ("guards: {cooldown: 5m}", "'cooldown' takes 'key: value' lines, not a text"),
        ("guards: {budget: {}}", "'monthly' is missing: write 'monthly: 60'"),
        (
            "approval: {approvers: [U024BE7LH, bob]}",
            "item 2 of 'approvers' is no Slack id: a member's begins with U or W",
        ),
        ("approval: {ask: mon-fri 09:00-17:00}", "names no time zone"),
        ("notify: {slack: x}", "'slack' is too short"),
        ("emergency: {to: large}", "write either 'any:' or 'all:', with at least one condition"),
    ),
)
def test_a_mistake_in_an_optional_section_is_told_once_and_nothing_elsewhere(section: str, expected: str):
    found = lines(SOUND + section + "\n")
    assert sum(expected in line for line in found) == 1
    assert all(line.startswith("p.yaml:20:") for line in found)


def test_a_secret_that_was_written_in_clear_is_never_repeated():
    url, every = "https://app.example.com/api/health/scaling", "hunter2-secret"
    texts = (
        edited((url, f"{url}\n    token: {every}")),
        edited((url, f"{url}\n    token: {{env: {every}}}")),
        edited((url, f"{url}\n    token: [{every}]")),
        edited((url, f"https://user:{every}@app.example.com/health")),
    )
    for text in texts:
        found = lines(text)
        assert found
        assert every not in "\n".join(found)


def test_a_message_stays_on_its_line_and_never_steers_the_terminal():
    (line,) = lines(edited(("mode: act", '"m\\nx\\e[31m": act')))
    assert line.startswith("p.yaml:2:1: error: unknown key 'm?x?[31m'")


def test_a_secret_in_clear_is_told_how_to_be_named_instead():
    url = "https://app.example.com/api/health/scaling"
    (line,) = lines(edited((url, f"{url}\n    token: hunter2")))
    assert line.startswith("p.yaml:7:12: error: 'token' names a variable and never holds the secret itself: write")


def test_a_list_of_rules_with_nothing_in_it_is_told_once():
    text = edited(("      all:\n        - memory_usage < 200MB for 48h\n", "      all:\n"))
    assert [(problem.line, problem.code) for problem in told(text)] == [(18, "no_value")]


def test_what_does_not_fit_together_is_told_beside_rules_that_are_all_wrong():
    text = edited(("memory_usage > 400MB", "memory_usage > 400"), ("plan: starter", "plan: standard"))
    assert [(problem.line, problem.code) for problem in told(text)] == [(13, "wrong_value"), (15, "ladder")]


def test_what_a_misspelled_key_may_explain_is_not_told_beside_it():
    text = edited(
        ("plan: standard\n    env: {POOL: 6}", "plan: standard\n    instnces: 2\n    env: {POOL: 6}"),
        ("plan: starter", "plan: standard"),
    )
    assert [(problem.line, problem.code) for problem in told(text)] == [(16, "unknown_key")]


def test_what_rests_on_a_wrong_value_is_not_told_beside_it():
    text = edited(("https://app.example.com/api/health/scaling", "https://x.example/h\n    every: 5\n    timeout: 40s"))
    assert [problem.code for problem in told(text)] == ["wrong_value"]


def test_no_message_shows_the_words_of_the_library_underneath():
    shapes = ("x", "[x]", "{a: b}", "''", "-1", "[]", "{}", "[{a: b}]", "null")
    keys = [match[1] for match in re.finditer(r"^ *(?:- )?(\w+):", SOUND, re.MULTILINE)]
    sections = ["emergency", "alerts", "schedules", "guards", "approval", "verify", "notify", "evidence", "scale_up"]
    texts = [re.sub(rf"\b{key}: .*", f"{key}: {shape}", SOUND, count=1) for key in keys for shape in shapes]
    texts += [f"{SOUND}{section}: {shape}\n" for section in sections for shape in shapes]
    for text in texts:
        for line in lines(text):
            assert not re.search(
                r"Input should|Value error|Extra inputs|valid (string|list|dict)|is not what is expected", line
            ), line
