"""The chart of a backtest as one SVG: the tier's steps, each metric with its bounds, each window as it fills.

Written by hand and complete in itself: no font, style sheet or script from elsewhere.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from math import floor

from autoscaler.core.backtest import Backtest
from autoscaler.core.curves import Bound, Curve, Filling, Point
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.metrics import Kind
from autoscaler.core.values import format_value
from autoscaler.report.axes import ceiling_of
from autoscaler.report.backtests import OFF, reason, stamp
from autoscaler.report.text import cut, one_line

WIDTH, LEFT, RIGHT = 960, 92, 16
_PLOT = WIDTH - LEFT - RIGHT
_RUNG, _METRIC, _STRIP, _GAP = 26, 96, 14, 30
_INK, _FAINT, _LINE, _BAND = "#1f2933", "#7b8794", "#2b6cb0", "#bfdbfe"
_COLOURS = {Role.UP: "#c2410c", Role.DOWN: "#15803d", Role.EMERGENCY: "#b91c1c", Role.ALERT: "#7b8794"}
_TINTS = ("#ffffff", "#eef4fb", "#dde9f6", "#cbddf1")
"""Behind the curves: the larger the tier, the bluer."""
_STEPS = (
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
)


def chart(done: Backtest) -> str:
    """The whole picture; as high as it has metrics and conditions."""
    return _Chart(done).svg()


class _Chart:
    """Draws from the top down; `self._y` is where the next panel begins."""

    def __init__(self, done: Backtest) -> None:
        self._done = done
        self._begun, self._ended = done.recording.begun, max(done.recording.ended, done.recording.begun + 1)
        self._y = 8
        self._parts: list[str] = []
        self._panels: list[tuple[float, float]] = []

    def svg(self) -> str:
        """All panels, and behind them the tiers' tints and the grid of time."""
        self._tiers()
        for curve in self._done.curves:
            if curve.metric.kind is not Kind.COUNTED or any(point.high for point in curve.points):
                self._metric(curve)
        self._windows()
        foot = self._time_labels(self._y)
        height = self._y + 30
        label = f"Backtest of {one_line(self._done.name)} over {one_line(self._done.recording.where)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'font-family="system-ui, -apple-system, \'Segoe UI\', \'DejaVu Sans\', sans-serif" font-size="11" fill="{_INK}">'
            f"<title>{escape(label)}</title>"
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
            + "".join((*self._background(), *self._parts, *foot))
            + "</svg>"
        )

    def _x(self, at: int) -> float:
        return LEFT + (at - self._begun) / (self._ended - self._begun) * _PLOT

    def _heading(self, text: str) -> None:
        self._parts.append(_text(LEFT, self._y + 11, text, weight=600))
        self._y += 18

    def _panel(self, height: int) -> tuple[float, float]:
        panel = (self._y, self._y + height)
        self._panels.append(panel)
        self._y += height + _GAP - 18
        return panel

    def _tiers(self) -> None:
        """A step line: one rung above the other."""
        tiers = self._done.policy.tiers
        self._heading("Tier on paper")
        _, bottom = self._panel(_RUNG * len(tiers) + 8)
        heights = {tier.name: bottom - 4 - _RUNG * (rank + 0.5) for rank, tier in enumerate(tiers)}
        for tier in tiers:
            self._parts.append(_text(LEFT - 6, heights[tier.name] + 4, cut(one_line(tier.name), 14), anchor="end"))
        path, before = "", None
        for stay in self._done.stays:
            height = heights.get(stay.tier or "")
            if height is None:
                before = None
                continue
            start = "L" if before is not None and path else "M"
            path += f"{start}{self._x(stay.begun):.1f} {height:.1f}L{self._x(stay.ended):.1f} {height:.1f}"
            before = height
        self._parts.append(f'<path d="{path}" fill="none" stroke="{_INK}" stroke-width="2"/>')
        for change in self._done.changes:
            x, up = self._x(change.live_at or change.at), change.ask is Ask.UP
            y = heights[change.target] + (-4 if up else 4)
            colour = _COLOURS[Role.EMERGENCY if change.emergency else Role.UP if up else Role.DOWN]
            tip = escape(f"{stamp(change.at)} {change.origin} → {change.target}: {reason(change)}")
            shape = f"M{x:.1f} {y - 6 if up else y + 6:.1f}l5 {9 if up else -9}h-10z"
            self._parts.append(f'<path d="{shape}" fill="{colour}"><title>{tip}</title></path>')

    def _metric(self, curve: Curve) -> None:
        """The line, the range within each bucket, and the bounds."""
        metric = curve.metric
        self._heading(metric.name)
        self._parts.append(_legend(WIDTH - RIGHT, self._y - 7, curve.bounds))
        top, bottom = self._panel(_METRIC)
        highest = max((point.high for point in curve.points), default=0.0)
        bounds = [bound for bound in curve.bounds if bound.condition.bound <= 4 * highest]
        ceiling = ceiling_of(metric, max([highest, *(bound.condition.bound for bound in bounds)]))
        heights = [bottom - value / ceiling * (bottom - top) for value in (0, ceiling / 2, ceiling)]
        for value, height in zip((0, ceiling / 2, ceiling), heights, strict=True):
            self._parts.append(_text(LEFT - 6, height + 4, format_value(metric, value), anchor="end", colour=_FAINT))

        def y(value: float) -> float:
            return bottom - min(value, ceiling) / ceiling * (bottom - top)

        for run in _runs(curve, self._done.step):
            there = " ".join(f"{self._x(point.at):.1f},{y(point.high):.1f}" for point in run)
            back = " ".join(f"{self._x(point.at):.1f},{y(point.low):.1f}" for point in reversed(run))
            line = " ".join(f"{self._x(point.at):.1f},{y(point.last):.1f}" for point in run)
            self._parts.append(f'<polygon points="{there} {back}" fill="{_BAND}"/>')
            self._parts.append(f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="1.2"/>')
        for bound in bounds:
            self._bound(bound, y(bound.condition.bound))

    def _bound(self, bound: Bound, y: float) -> None:
        self._parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{_COLOURS[bound.role]}" stroke-dasharray="5 3"/>'
        )

    def _windows(self) -> None:
        """Those that filled at any time; the others only by name."""
        filled = [one for one in self._done.fillings if any(held for _, held in one.points)]
        if filled:
            self._heading("Windows: how full each is; dark where its condition holds")
        for filling in filled:
            self._filling(filling)
        for filling in self._done.fillings:
            if filling not in filled:
                words = f"never began to fill: {cut(one_line(filling.condition), 110)}"
                self._parts.append(_text(LEFT, self._y + 10, words, colour=_FAINT))
                self._y += 15

    def _filling(self, filling: Filling) -> None:
        colour = _COLOURS[filling.role]
        label = f"{filling.role}: {cut(one_line(filling.condition), 110)}"
        self._parts.append(_text(LEFT, self._y + 10, label, colour=colour))
        self._y += 14
        top = self._y
        self._panels.append((top, top + _STRIP))
        self._parts.append(f'<path d="M{LEFT} {top + _STRIP}h{_PLOT}" stroke="#e4e7eb"/>')
        width = max(0.6, self._done.step / (self._ended - self._begun) * _PLOT)
        for begun, count, held in _level(filling, self._done.step):
            if held > 0:
                height, shade = max(1.0, _STRIP * held), 1.0 if held >= 1 else 0.45
                self._parts.append(
                    f'<rect x="{self._x(begun):.1f}" y="{top + _STRIP - height:.1f}" '
                    f'width="{min(width * count, WIDTH - RIGHT - self._x(begun)):.1f}" height="{height:.1f}" '
                    f'fill="{colour}" fill-opacity="{shade}"/>'
                )
        self._y += _STRIP + 8

    def _background(self) -> Iterator[str]:
        for top, bottom in self._panels:
            for stay in self._done.stays:
                tint = _TINTS[min(self._done.policy.rank(stay.tier), len(_TINTS) - 1)] if stay.tier else "#f3f4f6"
                x = self._x(stay.begun)
                tip = escape(f"{stay.tier or OFF}, {stamp(stay.begun)} to {stamp(stay.ended)}")
                yield (
                    f'<rect x="{x:.1f}" y="{top}" width="{self._x(stay.ended) - x:.1f}" height="{bottom - top}" '
                    f'fill="{tint}"><title>{tip}</title></rect>'
                )
            yield f'<rect x="{LEFT}" y="{top}" width="{_PLOT}" height="{bottom - top}" fill="none" stroke="#e4e7eb"/>'
            for at in self._ticks():
                yield f'<path d="M{self._x(at):.1f} {top}V{bottom}" stroke="#e4e7eb"/>'

    def _ticks(self) -> range:
        step = next((one for one in _STEPS if (self._ended - self._begun) / one <= 10), 365 * DAY)
        return range(-(-self._begun // step) * step, self._ended, step)

    def _time_labels(self, y: float) -> Iterator[str]:
        ticks = self._ticks()
        for at in ticks:
            moment = datetime.fromtimestamp(at / 1000, UTC)
            words = f"{moment.day} {moment:%b}" if ticks.step >= DAY else f"{moment:%a %H:%M}"
            if at == ticks[0]:
                words += f" {moment.year}"
            yield _text(self._x(at), y + 12, words, anchor="middle", colour=_FAINT)


def _runs(curve: Curve, step: int) -> Iterator[Sequence[Point]]:
    """Stretches without a gap."""
    begun = 0
    for place in range(1, len(curve.points) + 1):
        if place == len(curve.points) or curve.points[place].at - curve.points[place - 1].at > 2 * step:
            yield curve.points[begun:place]
            begun = place


def _level(filling: Filling, step: int) -> Iterator[tuple[int, int, float]]:
    """(begin, buckets, held in twentieths): neighbours of one height are one bar."""
    begun, count, height = 0, 0, -1.0
    for at, held in filling.points:
        rounded = 1.0 if held >= 1 else floor(held * 20) / 20
        if rounded == height and at == begun + count * step:
            count += 1
            continue
        if count:
            yield begun, count, height
        begun, count, height = at, 1, rounded
    if count:
        yield begun, count, height


def _legend(x: float, y: float, bounds: Sequence[Bound]) -> str:
    """What the dashed lines are, beside the heading."""
    room, spans = 120, []
    for bound in bounds:
        rule = one_line(bound.condition.text.removeprefix(bound.condition.metric.name).strip())
        words = cut(f"{bound.role} {rule}", room)
        spans.append(f'<tspan fill="{_COLOURS[bound.role]}">{escape(words)}</tspan>')
        room -= len(words) + 3
        if room < 12:
            break
    return f'<text x="{x}" y="{y:.1f}" text-anchor="end">{" · ".join(spans)}</text>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = _INK, weight: int = 400) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(words)}</text>'
