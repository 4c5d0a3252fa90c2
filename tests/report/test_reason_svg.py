"""The picture of a change's reason: sound XML with everything in its frame, whatever the numbers and names are."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import Role
from autoscaler.report.reason_chart import Chart
from autoscaler.report.reason_svg import HEIGHT, WIDTH, svg
from tests.support.charted import DOWN, UP
from tests.support.stories import NOW
from tests.support.strategies import values_of

SVG = "{http://www.w3.org/2000/svg}"
ORANGE, GREEN = "#c8400a", "#12803c"


def drawn(chart, **more):
    return ET.fromstring(svg(chart, **more))  # noqa: S314 - it is what we just wrote


def texts(root):
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


def colour_of(root, words):
    return next(one.attrib["fill"] for one in root.iter(f"{SVG}text") if "".join(one.itertext()) == words)


def place_of(root, words):
    found = next(one for one in root.iter(f"{SVG}text") if "".join(one.itertext()) == words)
    return float(found.attrib["x"]), float(found.attrib["y"])


def corners(root):
    """Every x and y that is drawn."""
    for one in root.iter():
        a = {
            name: float(text) for name, text in one.attrib.items() if name in {"x", "y", "cx", "cy", "width", "height"}
        }
        yield a.get("x", a.get("cx", 0.0)), a.get("y", a.get("cy", 0.0))
        yield a.get("x", 0.0) + a.get("width", 0.0), a.get("y", 0.0) + a.get("height", 0.0)
        path = one.attrib.get("d", "")
        assert re.fullmatch(r"[MLHVhz\d. -]*", path), path
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path):
            yield float(x), float(y)
        yield from ((float(x), 0.0) for x in re.findall(r"H([-\d.]+)", path))
        yield from ((0.0, float(y)) for y in re.findall(r"V([-\d.]+)", path))


def lines(root, colour):
    """The curve's pieces in that colour: the corners of each."""
    (path,) = (
        one.attrib["d"]
        for one in root.iter(f"{SVG}path")
        if one.attrib.get("stroke") == colour and "dasharray" not in str(one.attrib)
    )
    return [re.findall(r"([\d.]+) ([\d.]+)", piece) for piece in path.split("M") if piece]


def test_it_says_in_words_what_it_shows():
    root = drawn(UP)
    assert texts(root) == [
        "holisticos-apimvp → scaled",
        "avg_response_time > 8s for 1h",
        "1h window",
        "0",
        "7.5s",
        "15s",
        "tier",
        "mvp",
        "9.4s",
        "> 8s",
        "14:03 UTC",
        "13:03",
        "12:33",
    ]
    assert root.find(f"{SVG}title").text == "holisticos-api: mvp → scaled, because avg_response_time > 8s for 1h"


def test_on_a_phone_every_letter_is_11_pixels_high_at_least():
    for chart in (UP, DOWN):
        assert min(float(one.attrib["font-size"]) for one in drawn(chart).iter(f"{SVG}text")) >= 24


def test_the_curve_is_strong_where_it_is_past_the_bound_and_only_there():
    root = drawn(UP)
    (past,) = lines(root, ORANGE)
    (calm,) = lines(root, "#6b86a8")
    assert (len(calm), len(past)) == (2, 3)
    assert calm[-1] == past[0], "cut where it crosses"
    bound = next(
        float(one.attrib["d"].split()[1].split("H")[0])
        for one in root.iter(f"{SVG}path")
        if one.attrib.get("stroke-dasharray") == "12 8"
    )
    assert float(past[0][1]) == bound
    assert all(float(y) <= bound for _, y in past)
    assert colour_of(root, "9.4s") == ORANGE
    assert colour_of(drawn(replace(UP, points=(*UP.points, (NOW, 7.0)))), "7s") != ORANGE


def test_a_down_is_green_and_its_bound_is_seen_whatever_was_before():
    root = drawn(DOWN)
    assert colour_of(root, "120 MB") == GREEN
    assert "< 200 MB" in texts(root)
    assert texts(root)[-2:] == ["Tue 14:03 UTC", "Sun 14:03"], "days are named where there are several"
    assert "800 MB" in texts(root), "not the 9 GB of three days ago"


def test_an_emergency_says_so():
    assert "Emergency: avg_response_time > 8s for 1h" in texts(drawn(replace(UP, role=Role.EMERGENCY)))


def test_a_gap_is_left_open_and_a_lone_value_is_a_dot():
    points = ((NOW - 50 * MINUTE, 9.0), (NOW - 50 * MINUTE, None), (NOW - 10 * MINUTE, 9.0), (NOW, 9.0))
    lone, run = lines(drawn(replace(UP, points=points)), ORANGE)
    assert (len(lone), len(run)) == (1, 2)
    assert f"M{lone[0][0]} {lone[0][1]}h.1" in svg(replace(UP, points=points)), "a line of no length might not be drawn"


@pytest.mark.parametrize(("value", "words"), ((8.002, "8.002s"), (8.0, "8s"), (0.0, "0ms"), (1e6, "16667min")))
def test_the_last_value_never_reads_like_the_bound_unless_it_is(value, words):
    root = drawn(replace(UP, points=((NOW, value),)))
    assert words in texts(root)
    assert abs(place_of(root, words)[1] - place_of(root, "> 8s")[1]) >= 30, "and the two never overlap"


@pytest.mark.parametrize("points", (((NOW, 0.0),), ((NOW - 1, 4000.0), (NOW, 0.0)), ((NOW, 0.001),)))
def test_what_stands_beside_the_plot_stays_beside_it(points):
    root = drawn(replace(UP, bound=0.001, points=points))
    heights = [float(one.attrib["y"]) for one in root.iter(f"{SVG}text") if float(one.attrib["x"]) > 652]
    assert len(heights) == 2
    assert all(120 <= height <= 318 + 12 for height in heights)


def test_the_window_s_name_stands_where_the_curve_leaves_room():
    assert place_of(drawn(UP), "1h window")[1] > place_of(drawn(DOWN), "48h window")[1]


def test_a_condition_without_a_window_has_none():
    root = drawn(replace(UP, window="", window_begun=NOW))
    assert not any("window" in words for words in texts(root))
    assert texts(root)[-2:] == ["14:03 UTC", "12:33"]


def test_a_tier_that_moved_is_a_step():
    steps = ((NOW - 90 * MINUTE, "scaled"), (NOW - 45 * MINUTE, "mvp"))
    root = drawn(replace(UP, steps=steps))
    assert {"scaled", "mvp"} <= set(texts(root))
    assert place_of(root, "scaled")[0] < place_of(root, "mvp")[0]


def test_times_that_would_overlap_are_left_out():
    assert texts(drawn(replace(UP, window_begun=NOW - 2 * MINUTE)))[-2:] == ["14:03 UTC", "12:33"]


def test_nothing_in_a_name_breaks_out():
    evil = "<script>alert('&')</script>\x00\x1b[31m\ufffe\""
    root = drawn(
        replace(UP, service=evil, origin=evil, target=evil, rule=evil, metric=evil, window=evil, steps=((NOW, evil),))
    )
    assert {one.tag for one in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "rect", "path", "circle", "text", "tspan")
    }
    assert "<script>alert('&')</script>" in root.find(f"{SVG}title").text


def test_a_long_name_is_cut_and_the_step_stays():
    (title, *_) = texts(drawn(replace(UP, service="a-service-with-a-name-" * 4)))
    assert title.endswith("…mvp → scaled")


def test_it_has_a_ground_of_its_own_light_or_dark():
    for root, colour in ((drawn(UP), "#ffffff"), (drawn(UP, dark=True), "#1a1d21")):
        ground = root.find(f"{SVG}rect").attrib
        assert (ground["width"], ground["height"], ground["fill"]) == (str(WIDTH), str(HEIGHT), colour)
    assert texts(drawn(UP)) == texts(drawn(UP, dark=True))


MOMENTS = st.integers(NOW - 90 * MINUTE, NOW)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
CHARTS = values_of(
    Chart,
    bound=NUMBERS,
    points=st.lists(st.tuples(MOMENTS, st.none() | NUMBERS), max_size=60).map(
        lambda found: tuple(sorted(found, key=lambda one: one[0]))
    ),
    steps=st.lists(st.tuples(MOMENTS, st.text()), max_size=4).map(lambda found: tuple(sorted(found))),
    begun=st.sampled_from((NOW - 90 * MINUTE, NOW)),
    window_begun=MOMENTS,
    now=st.just(NOW),
)


@given(CHARTS, st.booleans())
@example(replace(UP, points=((NOW, 5e-324),), bound=5e-324), False)  # noqa: FBT003 - as the strategy gives it
@example(replace(UP, points=((NOW - 1, 0.0), (NOW, 1.7e308)), bound=0.0), False)  # noqa: FBT003
@example(replace(DOWN, points=((NOW - 1, 0.0), (NOW, 0.0)), bound=0.0), True)  # noqa: FBT003
def test_any_chart_is_sound_and_stays_in_its_frame(chart, dark):
    text = svg(chart, dark=dark)
    assert not re.search(r"\b(?:nan|inf)\b", re.sub(r"<title>.*</title>|>[^<]*<", "", text))
    for x, y in corners(ET.fromstring(text)):  # noqa: S314
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
