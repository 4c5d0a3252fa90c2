"""`metrics:` in a policy file: names of one's own in conditions, and what can be wrong with them."""

import pytest

from autoscaler.core.metrics import Dimension, Kind
from autoscaler.policyfile import load_text
from tests.support.policy_texts import SOUND, edited, lines

RULE = "memory_usage > 400MB for 30m"


def with_metrics(section: str, rule: str = RULE) -> str:
    assert RULE in SOUND
    return edited((RULE, rule)) + f"metrics:\n{section}\n"


@pytest.mark.parametrize(
    ("entry", "rule", "kind", "dimension"),
    (
        ("queue: jobs.waiting", "queue > 20 for 10m", Kind.GAUGE, Dimension.COUNT),
        ("queue: {path: jobs.waiting}", "p95(queue over 1h) > 20", Kind.GAUGE, Dimension.COUNT),
        ("reply: {path: a.b, unit: ms}", "reply > 2s for 10m in 80% of samples", Kind.GAUGE, Dimension.TIME),
        ("used: {path: a, of: b, unit: '%'}", "used > 80% for 1h", Kind.GAUGE, Dimension.SHARE),
        ("mails: {path: a, kind: counter}", "mails >= 3 within 24h", Kind.COUNTED, Dimension.COUNT),
        ("jobs: {path: a, kind: counter, unit: /s}", "jobs > 60/min for 1h", Kind.RATIO, Dimension.RATE),
        ("bad: {path: a, of: b, kind: counter, unit: '%'}", "bad > 5% for 1h", Kind.RATIO, Dimension.SHARE),
        ("paying: {kind: business}", "paying >= 50", Kind.BUSINESS, Dimension.COUNT),
        ("incident: {kind: counter}", "incident >= 1 within 1h", Kind.COUNTED, Dimension.COUNT),
        ('dashed: \'"my-app"."queue length"\'', "dashed > 2 for 1h", Kind.GAUGE, Dimension.COUNT),
    ),
)
def test_a_name_of_ones_own_stands_in_conditions_as_its_kind_wants(entry, rule, kind, dimension):
    policy = load_text(with_metrics(f"  {entry}", rule), "p.yaml").policy
    metric = policy.tiers[0].scale_up.conditions[0].metric
    assert (metric.kind, metric.dimension) == (kind, dimension)
    assert metric == policy.vocabulary.by_name[metric.name]


@pytest.mark.parametrize(
    ("entry", "expected"),
    (
        ("queue: 'jobs['", ":10: error: 'jobs[' is no JMESPath at character 6"),
        ("queue: a-b", ":10: error: 'a-b' is no JMESPath at character 2"),
        ("queue: 'lenght(a)'", ":10: error: JMESPath has no function 'lenght': did you mean 'length'?"),
        (f"queue: '{'!' * 495}a'", ":10: error: this JMESPath is nested too deeply"),
        ("queue: {path: a, unit: sec}", ":26: error: 'sec' is no unit"),
        ("queue: {path: a, kind: sum}", ":26: error: 'kind' can't be 'sum': use gauge, counter, business"),
        ("queue: {paht: a}", ":11: error: unknown key 'paht': did you mean 'path'?"),
        ("queue: {unit: ms}", ":3: error: say where the JSON has it"),
        ("queue: [a]", ":3: error: 'queue' takes 'key: value' lines, not a list"),
        ("for: a", ":3: error: 'for' is a word of the conditions themselves"),
        ("p95: a", ":3: error: 'p95' is a word of the conditions themselves"),
        ("Queue: a", ":3: error: 'Queue' is no name of a metric"),
        ("oom_kills: a", ":3: error: 'oom_kills' is what the bot sees itself"),
        ("memory_usage: mem", ":17: error: say in which unit the endpoint gives 'memory_usage'"),
        ("memory_usage: {path: a, unit: s}", ":33: error: 'memory_usage' can't be given in s"),
        ("complaints: {path: a, kind: gauge}", ":31: error: 'complaints' is no gauge: write counter"),
        ("error_rate: {path: a, kind: counter}", ":3: error: 'error_rate' needs two counters"),
        ("mails: {path: a, kind: counter, unit: ms}", ":41: error: 'mails' is counted, and a count has no ms"),
    ),
)
def test_an_entry_that_can_not_be_meant_is_told_at_its_place(entry, expected):
    text = with_metrics(f"  {entry}")
    assert any(line.startswith("p.yaml:") and expected in line for line in lines(text)), lines(text)


def test_two_entries_for_one_metric_are_told_with_both_lines():
    text = with_metrics("  memory_usage: {path: a, unit: MB}\n  memory_usage_mb: {path: b, unit: MB}")
    (line,) = lines(text)
    assert "'memory_usage_mb' and 'memory_usage' are one metric" in line
    assert f"(see line {text.count(chr(10)) - 1})" in line


def test_two_ratios_can_not_count_the_same_requests_at_two_places():
    text = with_metrics("  error_rate: {path: a, of: b, kind: counter}\n  request_rate: {path: c, kind: counter}")
    assert "'error_rate' counts its requests at 'b', and 'request_rate' at 'c'" in lines(text)[0]


def test_a_sentence_on_a_metric_that_is_given_wrongly_is_not_told_again():
    found = lines(with_metrics("  queue: 'jobs['", "queue > 20 for 10m"))
    assert [line for line in found if "error" in line] == [found[0]]
    assert "JMESPath" in found[0]


def test_an_unknown_name_is_told_with_the_nearest_and_with_the_way_to_make_it_known():
    near = lines(with_metrics("  queue_depth: jobs.waiting", "queue_deph > 20 for 10m"))
    assert any("unknown metric 'queue_deph': did you mean 'queue_depth'?" in line for line in near)
    far = lines(edited((RULE, "zzz > 20 for 10m")))
    assert any("unknown metric 'zzz': say under 'metrics:' where your endpoint has it" in line for line in far)


def test_a_name_that_no_condition_has_is_a_warning_unless_the_bot_itself_uses_it():
    file = load_text(with_metrics("  queue: jobs.waiting\n  memory_usage: {path: a, unit: MB}"), "p.yaml")
    assert [problem.code for problem in file.warnings if "metric" in problem.code] == ["unused_metric"]


def test_an_unknown_unit_in_a_sentence_names_those_that_fit_ones_own_metric():
    found = lines(with_metrics("  reply: {path: a, unit: ms}", "reply > 20MB for 10m"))
    assert any("'20MB' does not fit reply: write 20ms or 20s or 20min" in line for line in found)


def test_a_hundred_metrics_are_enough():
    found = lines(with_metrics("\n".join(f"  m{i}: a" for i in range(101))))
    assert any("metrics" in line for line in found)
