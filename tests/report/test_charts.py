"""The chart of a backtest: sound XML, everything in its frame, nothing of a recording can break out of it."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from autoscaler.core.backtest import backtest
from autoscaler.core.durations import HOUR
from autoscaler.core.observations import Miss, Missed, TierChanged
from autoscaler.core.recording import recorded
from autoscaler.core.rehearsal import Terms
from autoscaler.report.charts import WIDTH, chart
from autoscaler.report.page import page
from tests.support.evidence import EVERY, MB, START, Load, a_policy, a_reading

UP = "memory_usage > 400MB for 30m, complaints >= 3 within 24h"


def a_backtest(*memory):
    seen = []
    for step, megabytes in enumerate(memory):
        at = START + step * EVERY
        seen.append(Missed(at, Miss.REFUSED) if megabytes is None else a_reading(at, Load(memory=megabytes * MB)))
    return backtest("p.yaml", a_policy(UP), recorded("made up", seen), Terms("mvp", EVERY), curves=True)


def drawn(done):
    return ET.fromstring(chart(done))  # noqa: S314 - it is what we just wrote


def texts(root):
    return ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]


def numbers(root):
    """Every x and y that is drawn, as far as attributes say."""
    for one in root.iter():
        for name in ("x", "width"):
            if name in one.attrib:
                yield float(one.attrib[name])
        for pair in re.findall(r"(-?[\d.]+)[ ,](-?[\d.]+)", one.attrib.get("points", "")):
            yield float(pair[0])


def test_a_change_shows_its_step_its_mark_with_the_reason_and_the_window_that_filled():
    root = drawn(a_backtest(*[250] * 60, *[450] * 120))
    tips = [one.text for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(tip.endswith("mvp → scaled: memory_usage 450 MB > 400MB for 30m") for tip in tips)
    words = texts(root)
    assert {"mvp", "scaled", "large"} <= set(words)
    assert "up: memory_usage > 400MB for 30m" in words
    assert "never began to fill: complaints >= 3 within 24h" in words
    assert "complaints" not in words, "what was never counted needs no panel"


def test_everything_is_inside_the_frame_whatever_the_values():
    for done in (
        a_backtest(*[250] * 3),
        a_backtest(250),
        a_backtest(0, 0, 1e9, 0),
        a_backtest(*[250] * 50, *[None] * 200, *[450] * 100),
    ):
        assert all(0 <= number <= WIDTH for number in numbers(drawn(done)))


def test_a_gap_is_no_line():
    lines = [
        one for one in drawn(a_backtest(*[250] * 50, *[None] * 100, *[250] * 50)).iter() if one.tag.endswith("polyline")
    ]
    assert len(lines) == 2


def test_time_off_the_ladder_is_no_rung():
    seen = [a_reading(START + step * EVERY, Load()) for step in range(200)]
    seen.insert(100, TierChanged(seen[99].at, None, "pro_max", 1))
    done = backtest("p.yaml", a_policy(UP), recorded("made up", seen), Terms("mvp", EVERY), curves=True)
    assert [stay.tier for stay in done.stays] == ["mvp", None]
    assert drawn(done) is not None


@pytest.mark.parametrize("name", ("<script>alert(1)</script>", "a & b", "\x1b[31mred", '"quoted"'))
def test_names_from_outside_stay_words(name):
    done = a_backtest(*[250] * 60, *[450] * 120)
    done = replace(done, name=name, recording=replace(done.recording, where=name))
    text = page([done])
    assert "<script" not in text
    assert "\x1b" not in text
    (picture,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    ET.fromstring(picture)  # noqa: S314 - it is what we just wrote


def test_a_long_recording_makes_no_longer_page():
    day = a_backtest(*[250] * round(24 * HOUR / EVERY))
    week = a_backtest(*[250] * round(7 * 24 * HOUR / EVERY))
    assert len(page([week])) < 2 * len(page([day]))
