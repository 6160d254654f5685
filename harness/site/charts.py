"""Line charts as SVG coordinates, computed here so that the templates only draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 14, 44


class Mark(NamedTuple):
    x: float
    y: float
    label: str
    value: float


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
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(series: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> Chart:
    """Chart of (label, points) with values in [0, 1], shown times 100; the x axis has the points' labels in order."""
    labels = list(dict.fromkeys(x for _, points in series for x, _ in points))
    values = [100 * value for _, points in series for _, value in points]
    step = next(step for step in (1, 2, 5, 10, 20) if (max(values) - min(values)) / step <= 6)
    low, high = step * int(min(values) // step), step * (int(max(values) // step) + 1)

    def across(label: str) -> float:
        inner = WIDTH - _LEFT - _RIGHT
        return _LEFT + inner * (labels.index(label) + 0.5) / len(labels)

    def up(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    lines = tuple(
        Line(name, tuple(Mark(across(x), up(100 * value), x, 100 * value) for x, value in points))
        for name, points in series
    )
    x_ticks = tuple(Tick(across(label), label) for label in labels)
    y_ticks = tuple(Tick(up(value), str(value)) for value in range(low, high + 1, step))
    return Chart(lines, x_ticks, y_ticks)
