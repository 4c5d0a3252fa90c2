"""`autoscaler backtest`: history from a table, from lines and from the store; tables, JSON and a page that needs nothing else."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autoscaler.cli.main import app
from autoscaler.errors import UsageError
from tests.support.cli import autoscaler

TAXI = """\
version: 1
mode: observe
service: {{name: taxi, health: {{url: "https://taxi.example.com/api/health/scaling", every: 5m}}}}
tiers:
  - {{name: small, plan: starter, scale_up: {{any: [request_rate > {up}/s for 1h]}}}}
  - {{name: large, plan: standard, scale_down: {{all: [request_rate < 150/s for 2h]}}}}
guards: {{cooldown: {{up: 30m, down: 1h}}, max_changes: 8 per day}}
evidence: {{fit_window: 1d}}
"""


def a_policy(tmp_path: Path, up: int = 300, name: str = "taxi.yaml") -> Path:
    path = tmp_path / name
    path.write_text(TAXI.format(up=up), encoding="utf-8")
    return path


def a_busy_day(tmp_path: Path) -> Path:
    """One week, busy from 8 to 20."""
    begin = round(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
    rows = (f"{begin + step * 300},{400 if 8 <= step // 12 % 24 < 20 else 60}" for step in range(7 * 288))
    path = tmp_path / "week.csv"
    path.write_text("\n".join(("ts,rate", *rows, "")), encoding="utf-8")
    return path


RATE = ("--columns", "time=ts, request_rate=rate:/s")


async def test_a_table_is_played_and_each_change_told_with_its_reason_and_cost(tmp_path):
    ended = await autoscaler("backtest", a_policy(tmp_path), "--csv", a_busy_day(tmp_path), *RATE)
    assert ended.code == 0, ended.err
    assert "2,016 polls 5m apart, 2026-06-01 00:00 to 2026-06-07 23:55 UTC, from small on" in " ".join(
        ended.out.split()
    )
    assert "Open-loop" in ended.out
    assert re.search(r"2026-06-01 09:15 +▲ small → large +\$7/mo → \$25/mo", ended.out)
    assert "mode observe" in ended.out
    assert "request_rate 400/s > 300/s for 1h" in " ".join(ended.out.split())
    assert "never scaling" in ended.out


async def test_json_holds_verdicts_changes_costs_and_when_each_condition_held(tmp_path):
    ended = await autoscaler("backtest", a_policy(tmp_path), "--csv", a_busy_day(tmp_path), *RATE, "--json")
    document = ended.json
    assert "Open-loop" in document["open_loop"]
    first = document["changes"][0]
    assert (first["from"], first["to"], first["asked"]) == ("small", "large", ["mode_observe"])
    slow = round(datetime(2026, 6, 1, 9, 15, tzinfo=UTC).timestamp() * 1000)
    assert first["at"] == slow
    assert document["conditions"]["request_rate > 300/s for 1h"][0]["begun"] == slow
    assert document["verdicts"][0]["why"] == "steady"
    assert document["breach"]["before"] > document["breach"]["after"] > 0
    assert document["cost"]["never_scaling"] < document["cost"]["policy"] < document["cost"]["always_large"]


async def test_bad_rows_are_named_with_their_lines_before_anything_else(tmp_path):
    week = a_busy_day(tmp_path)
    week.write_text(week.read_text() + "noon,3\n1780300800,fast\n")
    ended = await autoscaler("backtest", a_policy(tmp_path), "--csv", week, *RATE)
    assert ended.code == 0
    assert "2 rows could not be read and were left out:" in ended.out
    assert "line 2018: 'noon' is no time" in ended.out
    assert "line 2019: rate is 'fast', which is no number" in ended.out


async def test_the_page_is_complete_in_itself_and_its_chart_is_sound_xml(tmp_path):
    page = tmp_path / "out.html"
    ended = await autoscaler("backtest", a_policy(tmp_path), "--csv", a_busy_day(tmp_path), *RATE, "--html", page)
    assert ended.code == 0, ended.err
    text = page.read_text(encoding="utf-8")
    assert "Open-loop" in text
    assert re.findall(r"(?:src|href)=|@import|url\(|<script", text) == []
    (chart,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    ET.fromstring(chart)  # noqa: S314 - it is what we just wrote
    assert "request_rate" in chart
    assert "up &gt; 300/s for 1h" in chart


async def test_two_policies_are_shown_side_by_side_with_when_they_differ(tmp_path):
    pair = (a_policy(tmp_path), a_policy(tmp_path, 500, "timid.yaml"))
    page = tmp_path / "out.html"
    source = ("--csv", a_busy_day(tmp_path), *RATE)
    ended = await autoscaler("backtest", "--compare", *pair, *source, "--html", page)
    assert ended.code == 0, ended.err
    assert "Where they differ" in ended.out
    assert re.search(r"2026-06-01 09:17 +.* large +small", ended.out)
    assert page.read_text().count("<svg") == 2
    document = (await autoscaler("backtest", "--compare", *pair, *source, "--json")).json
    assert [one["policy"] for one in document["policies"]] == [str(path) for path in pair]
    assert document["differences"][0]["tiers"] == ["large", "small"]


async def test_what_is_exported_gives_the_same_verdicts_again(tmp_path):
    lines = tmp_path / "week.jsonl"
    policy = a_policy(tmp_path)
    first = await autoscaler("backtest", policy, "--csv", a_busy_day(tmp_path), *RATE, "--export", lines, "--json")
    again = await autoscaler("backtest", policy, "--jsonl", lines, "--json")
    assert again.code == 0, again.err
    assert again.json["verdicts"] == first.json["verdicts"]
    assert {json.loads(line)["kind"] for line in lines.read_text().splitlines()} == {"reading"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        ((), "Name one policy file"),
        (("policy",), "Say where the history is, once"),
        (("policy", "--from-store", "--csv", "x.csv", "--columns", "time=t"), "Say where the history is, once"),
        (("policy", "--from-render", "30"), "--from-render: '30' has no unit"),
        (("policy", "--csv", "x.csv"), "--csv and --columns belong together"),
        (("policy", "--csv", "week", *RATE, "--tier", "huge"), "no tier 'huge': small, large. Choose one with --tier"),
        (("policy", "--csv", "week", *RATE, "--since", "monday"), "--since: 'monday' is no time"),
        (("policy", "--csv", "week", *RATE, "--html", "/nowhere/out.html"), "/nowhere/out.html can't be written"),
    ),
)
def test_a_call_that_can_not_be_is_refused_with_what_to_write(tmp_path, arguments, message):
    places = {"policy": a_policy(tmp_path), "week": a_busy_day(tmp_path)}
    with pytest.raises(UsageError) as refusal:
        app(["backtest", *(str(places.get(one, one)) for one in arguments)], standalone_mode=False)
    assert message in str(refusal.value)


async def test_an_empty_store_says_so(tmp_path):
    ended = await autoscaler(
        "backtest", a_policy(tmp_path), "--from-store", DATABASE_URL=f"sqlite:///{tmp_path}/none.db"
    )
    assert ended.code == 1
    assert "autoscaler run" in ended.err


async def test_what_the_worker_has_recorded_is_played_from_the_rung_that_ran(place):
    for _ in range(3):
        ended = await autoscaler("run", "--once", "-p", place.policies, **place.env)
        assert ended.code == 0, ended.err
    played = await autoscaler("backtest", place.policy, "--from-store", "--json", **place.env)
    assert played.code == 0, played.err
    document = played.json
    assert document["recording"]["polls"] == 3
    assert document["terms"]["tier"] == "mvp"
    assert [one["why"] for one in document["verdicts"]] == ["steady"]
    assert place.writes == []
