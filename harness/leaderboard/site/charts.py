"""Charts as SVG coordinates, computed here so that the templates only draw.

By hand, since the pages forbid themselves inline styles and scripts, which the SVG of pygal and of matplotlib is full of, and
since equal leaderboards are to give equal bytes whatever version of a library is installed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 14, 44
_BESIDE = 9
"""Between the points of two series at one place."""


class Measurement(NamedTuple):
    """A value at a place of the x axis, with the limits of its interval where there is one."""

    x: str
    value: float
    lower: float | None = None
    upper: float | None = None


class Mark(NamedTuple):
    """``low``, ``high``: where its interval begins and ends; ``limits`` the same times 100."""

    x: float
    y: float
    label: str
    value: float
    low: float | None
    high: float | None
    limits: tuple[float, float] | None


class Line(NamedTuple):
    label: str
    marks: tuple[Mark, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)


class Tick(NamedTuple):
    place: float
    label: str


class Chart(NamedTuple):
    """``is_joined``: whether lines may be drawn between the marks, which only the values of a number can be joined by."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    is_joined: bool
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(series: Sequence[tuple[str, Sequence[Measurement]]]) -> Chart:
    """Chart of (label, points) with values shown times 100; the x axis has the points' labels in order.

    Points with intervals stand beside those of other series at their label, so that none covers another.
    """
    measured = [point for _, points in series for point in points]
    labels = list(dict.fromkeys(point.x for point in measured))
    limits = [limit for point in measured for limit in (point.value, point.lower, point.upper) if limit is not None]
    scale = _scale([100 * limit for limit in limits])

    def across(label: str) -> float:
        inner = WIDTH - _LEFT - _RIGHT
        return _LEFT + inner * (labels.index(label) + 0.5) / len(labels)

    def mark(place: int, point: Measurement) -> Mark:
        aside = _BESIDE * (place - (len(series) - 1) / 2) if point.lower is not None else 0.0
        low, high, limits = None, None, None
        if point.lower is not None and point.upper is not None:
            limits = (100 * point.lower, 100 * point.upper)
            low, high = (_up(limit, scale) for limit in limits)
        return Mark(
            across(point.x) + aside, _up(100 * point.value, scale), point.x, 100 * point.value, low, high, limits
        )

    lines = tuple(
        Line(name, tuple(mark(place, point) for point in points)) for place, (name, points) in enumerate(series)
    )
    x_ticks = tuple(Tick(across(label), label) for label in labels)
    return Chart(lines, x_ticks, _y_ticks(scale), all(map(_is_number, labels)))


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


class Point(NamedTuple):
    """A system: its cost (above 0), its value with the limits of its interval; ``named``: labelled in any case."""

    label: str
    cost: float
    value: float
    lower: float
    upper: float
    named: bool = False


class Dot(NamedTuple):
    """A point in a chart; ``text`` stands beside it at ``text_y``, on the left where ``is_left``; it may be empty."""

    x: float
    y: float
    low: float
    high: float
    label: str
    value: float
    is_best: bool
    text: str
    text_y: float
    is_left: bool


class Scatter(NamedTuple):
    """``front``: the line through what nothing beats in both, from cheap to dear, as points of a polyline."""

    dots: tuple[Dot, ...]
    front: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float
    right: float
    bottom: float
    width: int
    height: int


_LINE = 15
"""Between the labels of two dots, one below the other."""


def undominated(points: Sequence[Point]) -> list[int]:
    """Places of the points that no other one beats: none is at most as dear and better, or cheaper and as good."""
    found: list[int] = []
    best = -math.inf
    for place in sorted(range(len(points)), key=lambda place: (points[place].cost, -points[place].value, place)):
        if points[place].value > best:
            found.append(place)
            best = points[place].value
    return found


def scatter_chart(points: Sequence[Point], width: int = WIDTH) -> Scatter:
    """Values, shown times 100, over costs on a logarithmic axis; labelled are those that nothing beats, and those named."""
    scale = _scale([100 * limit for point in points for limit in (point.lower, point.upper)])
    exponents = [math.log10(point.cost) for point in points]
    low, high = math.floor(min(exponents)), max(math.ceil(max(exponents)), math.floor(min(exponents)) + 1)
    right = width - _RIGHT

    def across(exponent: float) -> float:
        return _LEFT + (right - _LEFT) * (exponent - low) / (high - low)

    front = undominated(points)
    texts = _labels(
        [(across(exponents[i]), _up(100 * points[i].value, scale)) for i in range(len(points))], points, front, width
    )
    dots = tuple(
        Dot(
            across(exponent), _up(100 * point.value, scale), _up(100 * point.lower, scale), _up(100 * point.upper, scale),
            point.label, 100 * point.value, place in front, *texts[place],
        )
        for place, (point, exponent) in enumerate(zip(points, exponents, strict=True))
    )  # fmt: skip
    x_ticks = tuple(Tick(across(exponent), _power_of_ten(exponent)) for exponent in range(low, high + 1))
    line = " ".join(f"{dots[place].x:.1f},{dots[place].y:.1f}" for place in front)
    return Scatter(dots, line, x_ticks, _y_ticks(scale), _LEFT, right, HEIGHT - _BOTTOM, width, HEIGHT)


def _short(label: str, most: int) -> str:
    """The label in at most so many characters: its end is kept, which tells variants of one system apart.

    >>> _short("multilingual-e5-small, 4-bit weights + xQG", 24), _short("BM25", 24)
    ('multilingual…eights + xQG', 'BM25')
    """
    half = most // 2
    return label if len(label) <= most + 1 else f"{label[:half].rstrip()}…{label[-half:].lstrip()}"


def _labels(
    places: Sequence[tuple[float, float]], points: Sequence[Point], front: Sequence[int], width: int
) -> list[tuple[str, float, bool]]:
    """By point its label, the label's height and whether it stands on the left; labels that would touch give way downwards."""
    texts = [("", y, False) for _, y in places]
    taken: list[tuple[float, float, float]] = []
    most = max(10, width // 22)
    shown = {*front, *(place for place, point in enumerate(points) if point.named)}
    for place in sorted(shown, key=lambda place: (places[place][1], place)):
        x, y = places[place]
        label = points[place].label
        text = _short(label, most)
        is_left = x > width / 2
        start, end = (x - 10 - 7 * len(text), x - 10) if is_left else (x + 10, x + 10 + 7 * len(text))
        own = y + 4
        while any(abs(own - other) < _LINE and start < last and first < end for first, last, other in taken):
            own += _LINE / 3
        taken.append((start, end, own))
        texts[place] = (text, own, is_left)
    return texts


def _power_of_ten(exponent: int) -> str:
    for power, letter in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if exponent >= power:
            return f"{10 ** (exponent - power)}{letter}"
    return f"{10**exponent}" if exponent >= 0 else f"{10**exponent:.{-exponent}f}"


class _Scale(NamedTuple):
    low: int
    high: int
    step: int


def _scale(values: Sequence[float]) -> _Scale:
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if (max(values) - min(values)) / step <= 6)
    return _Scale(step * int(min(values) // step), step * (int(max(values) // step) + 1), step)


def _up(value: float, scale: _Scale) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - scale.low) / (scale.high - scale.low)


def _y_ticks(scale: _Scale) -> tuple[Tick, ...]:
    return tuple(Tick(_up(value, scale), str(value)) for value in range(scale.low, scale.high + 1, scale.step))


class Whisker(NamedTuple):
    """A value and its interval on an axis 100 units wide."""

    lower: float
    value: float
    upper: float


class Axis(NamedTuple):
    """An axis over values in percentage points; ``zero`` is None where 0 is its end or outside."""

    low: float
    high: float
    zero: float | None

    def place(self, value: float) -> float:
        """Where a value stands, from 0 to 100."""
        return 100 * (100 * value - self.low) / (self.high - self.low)

    def whisker(self, lower: float, value: float, upper: float) -> Whisker:
        return Whisker(self.place(lower), self.place(value), self.place(upper))


def axis_of(limits: Sequence[tuple[float, float]], around_zero: bool = False) -> Axis:
    """Axis that holds intervals of values: in steps of 10 points, for differences symmetric around 0.

    Values of most measures lie in [0, 1], and those of some do not, as ``Measure.lowest`` and ``highest`` say.
    """
    # Without the noise of float sums: 1.0000000000000002 takes no further step.
    values = [round(100 * limit, 9) for pair in limits for limit in pair] or [0.0]
    if around_zero:
        most = max(10, 10 * math.ceil(max(abs(value) for value in values) / 10))
        return Axis(-most, most, 50.0)
    low = 10 * math.floor(min(values) / 10)
    high = max(low + 10, 10 * math.ceil(max(values) / 10))
    return Axis(low, high, -100 * low / (high - low) if low < 0 < high else None)
