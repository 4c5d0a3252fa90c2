"""The picture of a `Chart`: one SVG, complete in itself, to be read on a phone that shows it 360 pixels wide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import isfinite

from autoscaler.core.conditions import Op
from autoscaler.core.evaluate import Role
from autoscaler.core.metrics import Dimension, Kind, Metric
from autoscaler.core.values import format_value
from autoscaler.report.axes import ceiling_of
from autoscaler.report.reason_chart import Chart
from autoscaler.report.text import cut, one_line
from autoscaler.report.units import format_time

WIDTH, HEIGHT = 800, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 112, 644, 120, 318
"""Of the plot; what is beside it on the right is for the value and the bound."""
_STRIP, _FOOT, _EDGE = 34, 398, 24
_SMALL, _MIDDLE, _LARGE = 24, 27, 36
"""Font sizes: 24 is 11 on a phone."""
_LEAST, _LARGEST = 1e-9, 1e18
_GAP = 34
"""Between the value and the bound, so that they do not overlap."""
_NARROW, _BROAD = frozenset("il.,:;|!'()[] jftr1-/"), frozenset("mwMW@%→")


@dataclass(frozen=True, slots=True)
class _Palette:
    paper: str
    ink: str
    faint: str
    grid: str
    band: str
    line: str
    up: str
    down: str


_LIGHT = _Palette("#ffffff", "#1d2733", "#5f6c7b", "#e3e8ee", "#eef3fa", "#6b86a8", "#c8400a", "#12803c")
_DARK = _Palette("#1a1d21", "#f1f3f5", "#a3aebb", "#343a42", "#262c35", "#8aa5c8", "#ff8a57", "#4cc47a")


def svg(chart: Chart, *, dark: bool = False) -> str:
    """The whole picture, on its own ground: light unless `dark`."""
    return _Picture(chart, _DARK if dark else _LIGHT).svg()


class _Picture:
    """From the top down: title, rule, plot, tiers, times."""

    def __init__(self, chart: Chart, palette: _Palette) -> None:
        self._chart, self._palette = chart, palette
        self._metric = Metric(chart.metric, chart.dimension, Kind.GAUGE, "")
        self._accent = palette.down if chart.role is Role.DOWN else palette.up
        self._bound = _sound(chart.bound)
        self._runs = list(_runs(chart.points))
        self._ceiling = self._highest()

    def svg(self) -> str:
        """All of it."""
        chart, palette = self._chart, self._palette
        title = f"{chart.service}: {chart.origin} → {chart.target}, because {chart.rule}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'role="img" font-family="Inter, system-ui, sans-serif" fill="{palette.ink}">'
            f"<title>{escape(one_line(title))}</title>"
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.paper}"/>'
            + "".join(
                (
                    *self._headline(),
                    *self._window(),
                    *self._grid(),
                    *self._tiers(),
                    *self._curve(),
                    *self._values(),
                    *self._times(),
                )
            )
            + "</svg>"
        )

    def _highest(self) -> float:
        """Where the scale ends. Of a down no peak long ago makes the bound a line on the ground."""
        highest = max((value for run in self._runs for _, value in run), default=0.0)
        if self._chart.role is Role.DOWN and self._bound > _LEAST:
            highest = min(highest, 3 * self._bound)
        highest = max(highest, self._bound)
        ceiling = ceiling_of(self._metric, highest if highest > _LEAST else 0.0)
        return 100.0 if self._chart.dimension is Dimension.SHARE and highest <= 100 < ceiling else ceiling

    def _x(self, at: float) -> float:
        share = (at - self._chart.begun) / max(1, self._chart.now - self._chart.begun)
        return _LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT)

    def _y(self, value: float) -> float:
        return _BOTTOM - min(value / self._ceiling, 1.0) * (_BOTTOM - _TOP)

    def _headline(self) -> Iterator[str]:
        """Which service, from where to where, and the rule that asks for it. A long name is set smaller, and then cut."""
        chart, room = self._chart, WIDTH - 2 * _EDGE - 14
        step = f"{cut(one_line(chart.origin), 16)} → {cut(one_line(chart.target), 16)}"
        service = one_line(chart.service)
        size = max(_MIDDLE, min(_LARGE, _LARGE * room / _wide(f"{service}{step}", _LARGE)))
        service = _fitting(service, room - _wide(step, size), size)
        yield (
            f'<text x="{_EDGE}" y="50" font-size="{size:.1f}" font-weight="600">{escape(service)}'
            f'<tspan dx="14" fill="{self._accent}">{escape(step)}</tspan></text>'
        )
        urgency = "Emergency: " if chart.role is Role.EMERGENCY else ""
        rule = _fitting(urgency + one_line(chart.rule), room, _MIDDLE)
        yield _text(_EDGE, 92, rule, _MIDDLE, self._palette.ink)

    def _window(self) -> Iterator[str]:
        """Shaded, its name where the curve leaves room."""
        chart, palette = self._chart, self._palette
        begun = self._x(chart.window_begun)
        if _RIGHT - begun < 1:
            return
        yield f'<rect x="{begun:.1f}" y="{_TOP}" width="{_RIGHT - begun:.1f}" height="{_BOTTOM - _TOP}" fill="{palette.band}"/>'
        values = [value for run in self._runs for at, value in run if at >= chart.window_begun]
        is_high = not values or sum(min(value, self._ceiling) for value in values) / len(values) > self._ceiling / 2
        words = f"{cut(one_line(chart.window), 12)} window"
        x = max((begun + _RIGHT) / 2, _LEFT + _wide(words, _SMALL) / 2)
        x = min(x, _RIGHT - _wide(words, _SMALL) / 2 - 6)
        yield _text(x, _BOTTOM - 12 if is_high else _TOP + 28, words, _SMALL, palette.faint, anchor="middle")

    def _grid(self) -> Iterator[str]:
        palette = self._palette
        for value in (0.0, self._ceiling / 2, self._ceiling):
            y = self._y(value)
            yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{palette.grid}" stroke-width="2"/>'
            words = format_value(self._metric, value) if value else "0"
            yield _text(_LEFT - 12, y + 8, words, _SMALL, palette.faint, anchor="end", room=_LEFT - 16)

    def _tiers(self) -> Iterator[str]:
        """A strip below the plot, and where the tier moved a line through it."""
        palette, top = self._palette, _BOTTOM + 10
        yield _text(_LEFT - 12, top + 25, "tier", _SMALL, palette.faint, anchor="end")
        begins = [self._x(at) for at, _ in self._chart.steps]
        for place, (begun, (_, name)) in enumerate(zip(begins, self._chart.steps, strict=True)):
            ended = max(begun, [*begins[1:], float(_RIGHT)][place])
            yield f'<rect x="{begun:.1f}" y="{top}" width="{max(0.0, ended - begun - 2):.1f}" height="{_STRIP}" fill="{palette.grid}" rx="5"/>'
            if place:
                yield f'<path d="M{begun - 1:.1f} {_TOP}V{top}" stroke="{palette.faint}" stroke-width="2" stroke-dasharray="2 6"/>'
            words = _fitting(one_line(name), ended - begun - 20, _SMALL)
            if words:
                yield _text((begun + ended) / 2, top + 26, words, _SMALL, palette.ink, anchor="middle")

    def _curve(self) -> Iterator[str]:
        """In strong colour, and filled down or up to the bound, where it is past that."""
        calm, past, areas, y = "", "", "", self._y(self._bound)
        for is_past, piece in (piece for run in self._runs for piece in self._pieces(run)):
            corners = "L".join(f"{self._x(at):.1f} {self._y(value):.1f}" for at, value in piece)
            line = f"M{corners}" + ("h.1" if len(piece) == 1 else "")
            if is_past:
                past += line
                areas += f"M{self._x(piece[0][0]):.1f} {y:.1f}L{corners}L{self._x(piece[-1][0]):.1f} {y:.1f}z"
            else:
                calm += line
        shape = 'fill="none" stroke-width="4" stroke-linejoin="round" stroke-linecap="round"'
        yield f'<path d="{areas}" fill="{self._accent}" fill-opacity="0.16"/>'
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{self._accent}" stroke-width="3" stroke-dasharray="12 8"/>'
        yield f'<path d="{calm}" stroke="{self._palette.line}" {shape}/><path d="{past}" stroke="{self._accent}" {shape}/>'

    def _pieces(self, run: Sequence[tuple[float, float]]) -> Iterator[tuple[bool, list[tuple[float, float]]]]:
        """The run cut where it crosses the bound; a clip in the SVG would cost a fifth of the time."""
        is_past, piece = self._is_past(run[0][1]), [run[0]]
        for (before, low), (at, value) in pairwise(run):
            if self._is_past(value) != is_past:
                crossing = (before + (at - before) * (self._bound - low) / (value - low), self._bound)
                yield is_past, [*piece, crossing]
                is_past, piece = not is_past, [crossing]
            piece.append((at, value))
        yield is_past, piece

    def _is_past(self, value: float) -> bool:
        return self._chart.op.holds(value, self._bound)

    def _values(self) -> Iterator[str]:
        """The last value and the bound, in numbers beside the plot; apart from each other."""
        palette, room = self._palette, WIDTH - _RIGHT - 32
        bound, at_bound = self._y(self._bound), format_value(self._metric, self._bound)
        if self._runs:
            at, value = self._runs[-1][-1]
            colour = self._accent if self._is_past(value) else palette.line
            x, y = self._x(at), self._y(value)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{colour}" stroke="{palette.paper}" stroke-width="3"/>'
            words = format_value(self._metric, value)
            if words == at_bound and value != self._bound:  # never `8s` beside `> 8s`
                words = format_value(self._metric, value, digits=5)
            y, bound = _apart(y, bound)
            yield _text(_RIGHT + 16, y + 12, words, _LARGE, colour, room=room)
        rule = f"{_SIGNS[self._chart.op]} {at_bound}"
        yield _text(_RIGHT + 16, bound + 9, rule, _MIDDLE, palette.faint, room=room)

    def _times(self) -> Iterator[str]:
        """Now, then when the window began, then where the chart begins, as far as there is room."""
        chart, free = self._chart, float(WIDTH)
        moments = [(chart.now, "end"), (chart.window_begun, "middle"), (chart.begun, "start")]
        for at, anchor in moments:
            is_now = anchor == "end"
            words = format_time(at, chart.begun) if is_now else format_time(at, chart.now).removesuffix(" UTC")
            wide = _wide(words, _SMALL)
            ended = self._x(at) + {"end": 0.0, "middle": wide / 2, "start": wide}[anchor]
            if ended <= free:
                yield _text(self._x(at), _FOOT, words, _SMALL, self._palette.faint, anchor=anchor)
                free = ended - wide - 16


_SIGNS = {Op.ABOVE: ">", Op.AT_LEAST: "≥", Op.BELOW: "<", Op.AT_MOST: "≤"}


def _runs(points: Sequence[tuple[int, float | None]]) -> Iterator[list[tuple[int, float]]]:
    """Stretches without a gap."""
    run: list[tuple[int, float]] = []
    for at, value in points:
        if value is not None and isfinite(value):
            run.append((at, _sound(value)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _sound(value: float) -> float:
    """What can be drawn."""
    return min(max(value, 0.0), _LARGEST) if isfinite(value) else 0.0


def _apart(value: float, bound: float) -> tuple[float, float]:
    """The heights of two labels that must not overlap, nor leave the plot."""
    lack = _GAP - abs(value - bound)
    if lack > 0:
        push = lack / 2 if value <= bound else -lack / 2
        value, bound = value - push, bound + push
    low, high = min(value, bound), max(value, bound)
    shift = max(0.0, _TOP - low) - max(0.0, high - _BOTTOM)
    return value + shift, bound + shift


def _wide(words: str, size: float) -> float:
    """About how wide they are, rather too much than too little: there is no font at hand here."""
    return size * sum(0.38 if one in _NARROW else 0.95 if one in _BROAD or one > "\u2e80" else 0.64 for one in words)


def _fitting(words: str, room: float, size: float) -> str:
    """As much as there is room for; nothing where that would say nothing."""
    for length in range(len(words), 2, -1):
        if _wide(shorter := cut(words, length), size) <= room:
            return shorter
    return ""


def _text(
    x: float, y: float, words: str, size: float, colour: str, *, anchor: str = "start", room: float = WIDTH
) -> str:
    """`room`: how wide it may be; what is wider is set smaller."""
    weight, size = 600 if size == _LARGE else 400, min(size, size * room / max(_wide(words, size), 1.0))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}">{escape(words)}</text>'
    )
