"""A chart as PNG: with the font that is shipped, so that it is the same on a server that has none, and paid for only where it is asked for."""

import re
import struct
import subprocess
import sys

import pytest

from autoscaler.adapters.pictures import png
from autoscaler.report.reason_svg import HEIGHT, WIDTH, svg
from tests.support.charted import DOWN, UP

BARE = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50">{}</svg>'


def written(words, **attributes):
    more = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return png(BARE.format(f'<text x="9" y="40" font-size="30" {more}>{words}</text>'))


@pytest.mark.parametrize("chart", (UP, DOWN))
@pytest.mark.parametrize("dark", (False, True))
def test_it_is_a_png_as_large_as_the_picture(chart, dark):
    made = png(svg(chart, dark=dark))
    assert made.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    assert struct.unpack(">II", made[16:24]) == (WIDTH, HEIGHT)
    assert len(made) < 100_000


def test_the_same_picture_is_the_same_bytes():
    assert png(svg(UP)) == png(svg(UP)) != png(svg(DOWN))


def test_letters_are_drawn_though_fonts_of_the_system_are_left_alone():
    text = svg(UP)
    without = re.sub(r"<text.*?</text>", "", text)
    assert len(png(text)) > 1.5 * len(png(without)), "half of it is letters"


def test_every_sign_that_charts_use_has_a_letter_of_its_own():
    missing = written("\ue000", font_family="Inter")
    nothing = png(BARE.format(""))
    for sign in "aZ09→…≥≤<>&_%$äñšłßΩЖ":
        drawn = written(sign.replace("&", "&amp;").replace("<", "&lt;"), font_family="Inter")
        assert drawn not in {missing, nothing}, sign


def test_a_heavy_letter_is_another_one():
    assert written("a", font_family="Inter", font_weight=600) != written("a", font_family="Inter", font_weight=400)


def test_no_font_of_this_machine_is_used():
    plain = written("abc", font_family="Inter")
    for family in ("DejaVu Sans", "DejaVu Serif", "Arial", "Helvetica", "sans-serif", "serif", "monospace"):
        assert written("abc", font_family=family) == plain, family


def test_who_sends_no_pictures_does_not_load_what_makes_them():
    script = "import autoscaler.adapters.pictures, autoscaler.bootstrap, sys; sys.exit('resvg_py' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - our own interpreter
