"""Real load, as recorded elsewhere, played to the seed's policy."""

import pytest

from autoscaler.adapters.recordings import read_table
from autoscaler.adapters.recordings.columns import parse_columns
from autoscaler.core.evaluate import Ask
from autoscaler.core.recording import Span
from autoscaler.engine.backtest import rehearse
from autoscaler.policyfile import load_file
from tests.support.checkout import ROOT

TRACES = ROOT.parent / "shared" / "traces"
SEED = ROOT / "policies" / "holisticos.yaml"
pytestmark = pytest.mark.skipif(not TRACES.exists(), reason="recorded traces lie beside the checkout, not in it")


def played(trace, columns):
    policy = load_file(SEED).policy
    recording = read_table(TRACES / trace, parse_columns(columns, policy.vocabulary), Span())
    return rehearse("holisticos.yaml", policy, recording)


@pytest.mark.parametrize(
    ("trace", "columns", "polls", "every"),
    (
        ("elb_request_count_8c0756.csv", "time=timestamp, concurrent_requests=value", 4032, 300_000),
        ("rds_cpu_utilization_cc0c53.csv", "time=timestamp, cpu_percent=value:%", 4032, 300_000),
        ("Twitter_volume_AMZN.csv", "time=timestamp, requests=value", 15831, 300_000),
        ("nyc_taxi.csv", "time=timestamp, request_rate=value:/min", 10320, 1_800_000),
    ),
)
def test_every_row_of_a_trace_is_read_and_played(trace, columns, polls, every):
    done = played(trace, columns)
    recording = done.recording
    assert (recording.polls, recording.every, recording.bad_rows, recording.notes) == (polls, every, 0, ())
    assert done.verdicts[0].at == recording.begun
    assert sum(stay.ended - stay.begun for stay in done.stays) == done.length


def test_concurrency_that_rises_for_good_is_followed_up_once_and_within_its_window():
    done = played("rds_cpu_utilization_cc0c53.csv", "time=timestamp, concurrent_requests=value")
    (change,) = done.changes
    assert (change.ask, change.target) == (Ask.UP, "scaled")
    assert [reason.condition for reason in change.reasons] == ["concurrent_requests > 10 for 15m in 80% of samples"]
    assert done.breach_after < done.breach_before / 100
