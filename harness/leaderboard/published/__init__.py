"""Published results of XOR-Retrieve as data, one TOML file per source, and the audit that they can be what they say.

A recall over N questions is k/N for a whole number k of hits, and XOR-TyDi's dev questions fix N for each language. So
most slips of a table (a cell under another language, a row of another measure, a typing error) show by themselves. The
idea and the numbers' sources: docs/published-errors.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.collections.xor_tydi import DENOMINATORS
from harness.errors import Finding, WrongUsage
from harness.files.toml_records import Record, checked, read_toml
from harness.measures import parse

AVERAGE = "average"

Language = Literal["ar", "bn", "fi", "ja", "ko", "ru", "te"]
Percent = Annotated[Decimal, Field(ge=0, le=100)]


class Row(Record):
    """One system's values of one measure, as they are printed; ``exceptions`` says why a cell cannot be right.

    A source that has the macro average alone has no ``values``.
    """

    system: str
    measure: str
    split: Literal["dev", "test"]
    values: dict[Language, Percent] = Field(default_factory=dict)
    average: Percent | None = None
    where: str = Field(description="table, README or model card")
    status: Literal["verified", "derived", "read by eye"] = Field(
        description="read in the source, calculated from what is there, or read by a person from a picture"
    )
    notes: str = ""
    exceptions: dict[Literal[Language, "average"], str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Row:
        try:
            parse(self.measure)
        except WrongUsage as error:
            raise ValueError(str(error)) from None
        if not self.values and self.average is None:
            raise ValueError("neither `values` nor an `average`")
        cells = {*self.values, *([AVERAGE] if self.average is not None else [])}
        if strangers := set(self.exceptions) - cells:
            raise ValueError(f"exceptions for cells without a value: {', '.join(sorted(strangers))}")
        return self


class Source(Record):
    """A paper or repository, and the results that it prints to ``decimals`` places."""

    schema_version: Literal[1]
    title: str
    paper: str
    urls: tuple[str, ...] = Field(min_length=1)
    commit: str = Field(default="", description="of the repository that was read")
    decimals: int = Field(ge=0, le=6)
    results: tuple[Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _printed(self) -> Source:
        for row in self.results:
            for value in (*row.values.values(), *([row.average] if row.average is not None else [])):
                if value != round(value, self.decimals):
                    raise ValueError(f"{row.system}, {row.measure}: {value} has more than {self.decimals} decimals")
        return self


@dataclass(frozen=True)
class PublishedResult:
    """A row with the source it stands in; ``name`` is the name of the source's file."""

    name: str
    source: Source
    row: Row

    @property
    def label(self) -> str:
        return f"{self.name}, {self.row.system}, {self.row.measure}, {self.row.split}"

    @property
    def auditable(self) -> bool:
        """Whether the number of scored questions is known, so that cells can be checked one by one."""
        return self.row.split in DENOMINATORS

    def hits(self, lang: Language) -> tuple[int, ...]:
        """Numbers of hits that print as the value; empty when there is none. Raises ``KeyError`` if not auditable."""
        count = DENOMINATORS[self.row.split][lang]
        low, high = (bound * count / 100 for bound in self._rounding(self.row.values[lang]))
        # Exact halves may have been rounded either way.
        return tuple(range(max(0, -int(-low // 1)), min(count, int(high // 1)) + 1))

    def average_bounds(self) -> tuple[Fraction, Fraction]:
        """The smallest and the largest average that agree with the cells, taken as printed or as the hits they mean."""
        lows, highs = [], []
        for lang, value in self.row.values.items():
            low, high = self._rounding(value)
            hits = self.hits(lang) if self.auditable else ()
            if hits:
                exact = [Fraction(100 * hit, DENOMINATORS[self.row.split][lang]) for hit in hits]
                low, high = min(Fraction(value), *exact), max(Fraction(value), *exact)
            lows.append(low)
            highs.append(high)
        return sum(lows, Fraction(0)) / len(lows), sum(highs, Fraction(0)) / len(highs)

    def average_fits(self) -> bool:
        if self.row.average is None or not self.row.values:
            return True
        low, high = self.average_bounds()
        printed_low, printed_high = self._rounding(self.row.average)
        return low <= printed_high and printed_low <= high

    def _rounding(self, value: Decimal) -> tuple[Fraction, Fraction]:
        half = Fraction(1, 2 * 10**self.source.decimals)
        return Fraction(value) - half, Fraction(value) + half


def source_names() -> list[str]:
    folder = resources.files("harness.leaderboard.published")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_published(names: Iterable[str] | None = None) -> tuple[PublishedResult, ...]:
    """The results of the package's sources (all, or those named). Raises ``InvalidInput`` for a file that is invalid."""
    folder = Path(str(resources.files("harness.leaderboard.published")))
    return tuple(
        result
        for name in (source_names() if names is None else names)
        for result in read_source(folder / f"{name}.toml")
    )


def read_source(path: Path) -> tuple[PublishedResult, ...]:
    """Results of one file. Raises ``WrongUsage`` when there is none, ``InvalidInput`` when it is invalid."""
    source = checked(Source, read_toml(path), str(path))
    return tuple(PublishedResult(path.stem, source, row) for row in source.results)


def audit(results: Iterable[PublishedResult]) -> list[Finding]:
    """What cannot be, and is not declared; what is declared, and can be. Nothing, when all is in order.

    A cell cannot be if no number of hits prints as it (dev), or if the same system has less at a larger token budget.
    """
    listed = list(results)
    findings: list[Finding] = []
    seen: set[str] = set()
    for result in listed:
        if result.label in seen:
            findings.append(Finding("error", result.label, "is a duplicate", "one row for each system and measure"))
        seen.add(result.label)
        larger = [other for other in listed if _has_larger_budget(other, result)]
        findings += _audit_cells(result, larger)
        findings += _audit_average(result)
        findings += _average_decreases(result, larger)
    return findings


def _has_larger_budget(other: PublishedResult, result: PublishedResult) -> bool:
    return (
        (other.name, other.row.system, other.row.split) == (result.name, result.row.system, result.row.split)
        and other.row.measure != result.row.measure
        and parse(other.row.measure).is_never_below(parse(result.row.measure))
    )


def _audit_cells(result: PublishedResult, larger: Sequence[PublishedResult]) -> Iterator[Finding]:
    for lang, value in result.row.values.items():
        where = f"{result.label}, {lang}"
        faults = [*_misfit(result, lang), *_decrease(result, lang, larger)]
        if lang not in result.row.exceptions:
            hint = "compare it with the source; if it is printed so, declare it in `exceptions`"
            yield from (Finding("error", where, what, expected, hint) for what, expected in faults)
        elif not faults:
            yield _needless(where, f"nothing speaks against {value}")


def _misfit(result: PublishedResult, lang: Language) -> Iterator[tuple[str, str]]:
    if result.auditable and not result.hits(lang):
        count, value = DENOMINATORS[result.row.split][lang], result.row.values[lang]
        below = int(Fraction(value) * count / 100)
        near = " or ".join(f"{100 * hit / count:.2f}" for hit in (below, below + 1) if hit <= count)
        yield f"{value} is no number of hits among {count}", near


def _decrease(result: PublishedResult, lang: Language, larger: Sequence[PublishedResult]) -> Iterator[tuple[str, str]]:
    value = result.row.values[lang]
    for other in larger:
        if lang in other.row.values and other.row.values[lang] < value:
            limit = other.row.values[lang]
            yield f"{value} is more than the {limit} of {other.row.measure}", f"at most {limit}"


def _audit_average(result: PublishedResult) -> Iterator[Finding]:
    where, declared = f"{result.label}, {AVERAGE}", AVERAGE in result.row.exceptions
    if result.average_fits():
        if declared:
            yield _needless(where, f"{result.row.average} agrees with the cells")
    elif not declared:
        values = result.row.values.values()
        mean = float(sum(values) / len(values))
        hint = "compare it with the source; if it is printed so, declare it in `exceptions`"
        yield Finding("error", where, f"{result.row.average} is not the average of the cells", f"{mean:.2f}", hint)


def _average_decreases(result: PublishedResult, larger: Sequence[PublishedResult]) -> Iterator[Finding]:
    """Of rows without cells, whose averages are all that can be held against each other."""
    value = result.row.average
    for other in larger:
        if value is not None and not result.row.values and other.row.average is not None and other.row.average < value:
            what = f"{value} is more than the {other.row.average} of {other.row.measure}"
            yield Finding("error", f"{result.label}, {AVERAGE}", what, f"at most {other.row.average}")


def _needless(where: str, what: str) -> Finding:
    return Finding("error", where, f"declared as an exception, but {what}", "", "remove it from `exceptions`")
