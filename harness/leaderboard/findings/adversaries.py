"""Whether generated questions make retrieval robust: what adversaries and perturbed questions cost rows with and without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.adapters.card import load_card
from harness.compare.records import MACRO, Comparison, Drop, DropDifference, read_comparison
from harness.errors import InvalidInput
from harness.leaderboard.findings.of_studies import SEEN, has_most_signs
from harness.leaderboard.findings.recorded import check_track, recorded_study
from harness.leaderboard.findings.records import Answer, Finding, Table, Verdict, missing
from harness.leaderboard.seen import seen_columns
from harness.numbers import DASH, interval, percent, probability
from harness.submissions.study.records import StudyResult, row_name
from harness.tracks import Track, load_track

ADVERSARIES = ("paws-x-sample", "paws-x-sample-me5")
PERTURBED = "xquad-oracle-perturbed"
_ABOUT = "XQuAD, perturbed questions"
_STAND_INS = (
    "Sentences of PAWS-X itself stand in for the adversaries of the sample: for 15 of its 200 questions one of them has four "
    "of five words of the sentence asked for (Jaccard of lower-case words), so that the clean side is a little harder than it "
    "should be, and drops are a little smaller."
)


def adversaries(runs: Path) -> Finding:
    answers, tables, limits_said = list[Answer](), list[Table](), list[str]()
    for name in ADVERSARIES:
        about = f"PAWS-X, track {name}"
        path = runs / name / "comparison.json"
        if not path.is_file():
            answers.append(missing(about, f"no comparison of the track {name} is recorded"))
            continue
        comparison = read_comparison(path)
        track = load_track(name)
        check_track(path, comparison.track, track, f"xdr leaderboard {name}")
        answers += drop_answers(comparison, about, track)
        tables.append(_drops_table(comparison, about, track))
    study = recorded_study(runs, PERTURBED)
    if study is None:
        answers.append(missing(_ABOUT, f"no study of the track {PERTURBED} is recorded"))
    else:
        answers += perturbed_answers(study)
        tables.append(_perturbed_table(study))
        limits_said.append(
            "XQuAD's texts are oracles: questions that people wrote about the same paragraphs. Perturbations are made by "
            "rules, not by people, and two of them were asked."
        )
    if any((runs / name / "comparison.json").is_file() for name in ADVERSARIES):
        limits_said.append(_STAND_INS)
        limits_said.append(
            "200 questions a language, generated questions of one writer, a language model: of 160 that a second reader read, "
            "36 name nothing that could be searched for. Adversaries share nearly all words with what is asked for, which an "
            "encoder that adds up vectors of words cannot tell apart."
        )
    return Finding(
        name="adversaries",
        question="Do generated questions make retrieval robust to adversarial pairs (PAWS-X) and to perturbed questions?",
        answers=tuple(answers),
        tables=tuple(tables),
        limits=tuple(limits_said),
        seen=tuple(" ".join(text.split()) for text in (study.declared.seen_before_declaring if study else ())),
        commands=(*(f"xdr leaderboard {name}" for name in ADVERSARIES), f"xdr study {PERTURBED}", "xdr findings"),
    )


class _Against(NamedTuple):
    """A row's drop and that of the row that it is held against. ``agrees``: most languages have the difference's sign."""

    found: DropDifference
    own: Drop
    base: Drop
    agrees: bool

    @property
    def has_fewer_to_lose(self) -> bool:
        return self.found.difference < 0 and self.own.clean < self.base.clean

    @property
    def verdict(self) -> Verdict:
        """Whether it loses less. A row with fewer clean hits can lose fewer, so that a yes is for one that finds no less."""
        if not (self.found.significant and self.agrees):
            return "not shown"
        if self.found.difference > 0:
            return "no"
        return "it depends" if self.has_fewer_to_lose else "yes"

    def told(self, when: str, mark: str = "") -> str:
        """``mark``: of a row that may have seen the collection."""
        found, base = self.found, self.base.system
        said = (
            f"the drop of {found.system}{mark} less that of {base}: {percent(found.difference, 2, signed=True)} points "
            f"{interval(found.interval, 2)}, adjusted p {probability(found.p_adjusted)}; {when} it has "
            f"{percent(self.own.perturbed)}, {base} {percent(self.base.perturbed)}"
        )
        if self.verdict == "not shown":
            return said + (", of differing signs in the languages" if found.significant else excluded(found))
        return said + ": it loses fewer points, and has fewer to lose" * (self.verdict == "it depends")


def _against(drops: Sequence[Drop], found: DropDifference) -> _Against:
    """Raises ``KeyError`` with the system and perturbation whose drop is lacking."""
    planned = {(drop.system, drop.perturbation): drop for drop in drops if drop.p_adjusted is not None}
    own, other = (planned[name, found.perturbation] for name in (found.system, found.against))
    by_part = {
        (drop.system, drop.column): drop.drop
        for drop in drops
        if (drop.perturbation, drop.measure) == (found.perturbation, own.measure) and drop.column != MACRO
    }
    columns = [column for name, column in by_part if name == found.system and (found.against, column) in by_part]
    differences = [by_part[found.system, column] - by_part[found.against, column] for column in columns]
    return _Against(found, own, other, has_most_signs(found.difference, differences))


def drop_answers(comparison: Comparison, about: str, track: Track) -> Iterator[Answer]:
    """Whether a row that is no control loses less than the encoder alone, and not by finding less.

    A row that may have seen the collection decides nothing.
    """
    if comparison.baseline != track.baseline:
        raise InvalidInput(f"the comparison of {track.name} is against {comparison.baseline}, not {track.baseline}")
    for found in comparison.drop_differences:
        # A reader's own row is nothing that the question was asked of.
        if found.system not in track.systems or _is_control(found.system):
            continue
        try:
            against = _against(comparison.drops, found)
        except KeyError as error:
            raise InvalidInput(
                f"the comparison of {track.name} has no drop of {' under '.join(error.args[0])}"
            ) from None
        seen = _has_seen(track, found.system)
        told = against.told("with adversaries", SEEN * seen)
        where = f"{about}, does {found.system}{SEEN * seen} lose less than {found.against}"
        if seen:
            told += "; its training may have held the collection, as its card says: it decides nothing"
        yield Answer(where, found.system, "not answered" if seen else against.verdict, f"{told}.")


def perturbed_answers(study: StudyResult) -> Iterator[Answer]:
    """For every contrast and perturbation one answer of all encoders; one that may have seen the collection decides nothing."""
    seen = {found.encoder for found in study.results if found.may_have_seen}
    titles = {kind.name: kind.title for kind in study.declared.kinds}
    for perturbation in dict.fromkeys(drop.perturbation for drop in study.drop_differences):
        for contrast in study.declared.contrasts:
            by_encoder = {
                encoder: _of_row(
                    study, row_name(encoder, contrast.first), row_name(encoder, contrast.second), perturbation
                )
                for encoder in dict.fromkeys(row.encoder for row in study.rows)
            }
            verdicts = {own.verdict for encoder, own in by_encoder.items() if encoder not in seen}
            verdict: Verdict = (
                "not answered" if not verdicts else verdicts.pop() if len(verdicts) == 1 else "it depends"
            )
            told = "; ".join(own.told("perturbed", SEEN * (encoder in seen)) for encoder, own in by_encoder.items())
            about = f"{_ABOUT} ({perturbation}), do rows with {titles[contrast.first]} lose less than rows without"
            yield Answer(about, f"{perturbation}, {contrast.name}", verdict, f"{told}.")


def _of_row(study: StudyResult, name: str, base: str, perturbation: str) -> _Against:
    try:
        by_rows = {(found.system, found.against, found.perturbation): found for found in study.drop_differences}
        return _against(study.drops, by_rows[name, base, perturbation])
    except KeyError:
        raise InvalidInput(
            f"the study of {study.track['name']} has no drop of {name} or {base} under {perturbation}; `xdr study "
            f"{study.track['name']}` makes it again"
        ) from None


def _is_control(system: str) -> bool:
    return load_card(system).card.kind == "control"


def _has_seen(track: Track, system: str) -> bool:
    return bool(seen_columns(track, load_card(system).card.may_have_seen))


def excluded(found: DropDifference) -> str:
    """What the interval of a difference of drops excludes, as the end of a sentence; empty where it does not hold 0 inside."""
    if found.interval is None or not found.interval.lower < 0 < found.interval.upper:
        return ""
    more, fewer = (percent(value, 2) for value in (found.interval.upper, -found.interval.lower))
    return f"; losing {more} points more or {fewer} fewer is excluded"


def _drops_table(comparison: Comparison, about: str, track: Track) -> Table:
    rows = tuple(
        (
            f"{drop.system}{SEEN * _has_seen(track, drop.system)}{' (control)' * _is_control(drop.system)}",
            percent(drop.clean),
            percent(drop.perturbed),
            percent(drop.drop, 2, signed=True),
            interval(drop.interval),
        )
        for drop in comparison.drops
        if drop.p_adjusted is not None and drop.system in track.systems
    )
    return Table(f"{about}, macro averages.", ("system", "clean", "with adversaries", "drop", "95%"), rows)


def _perturbed_table(study: StudyResult) -> Table:
    """Clean and perturbed side by side, macro average and by language."""
    parts = list(dict.fromkeys(drop.column for drop in study.drops if drop.column != MACRO))
    found = {(drop.system, drop.perturbation, drop.column): drop for drop in study.drops}
    rows = []
    for drop in study.drops:
        if drop.column != MACRO:
            continue
        own = [found.get((drop.system, drop.perturbation, part)) for part in parts]
        rows.append(
            (
                drop.system,
                drop.perturbation,
                percent(drop.clean),
                percent(drop.perturbed),
                percent(drop.drop, 2, signed=True) + "*" * bool(drop.significant),
                interval(drop.interval),
                percent(drop.detectable, 2),
                *(f"{percent(one.clean)} → {percent(one.perturbed)}" if one else DASH for one in own),
            )
        )
    caption = (
        f"{_ABOUT}: {study.primary} of rows with and without questions of people, {study.drops[0].draws} draws, averaged "
        "first. Macro averages, and by language clean → perturbed (exploratory). * significant among the declared drops. "
        "What finds less can lose less: read no drop without the values that it comes from."
    )
    head = ("row", "perturbation", "clean", "perturbed", "drop", "95%", "could find", *parts)
    return Table(caption, head, tuple(rows))
