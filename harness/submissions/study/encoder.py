"""What a study finds of one encoder: a row for every kind of texts, weights chosen by cross-fitting, and declared contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context
from harness.collections.text_budget import tokens_of
from harness.compare.contrasts import Pair, Tested, Values, interaction, tested
from harness.compare.records import MACRO
from harness.runs.trained_for import check_trained_for
from harness.submissions.study.answers import answer_recall, answer_result, may_have_seen
from harness.submissions.study.ranks import TITLES, Ranker, Ranks, Title
from harness.submissions.study.records import AnswerResult, Result, StudyRow, Titles, Tried, Used
from harness.submissions.study.world import MEASURES, World
from harness.tracks.study import Contrast, Expansion, Kind

NONE = "none"
_EQUAL = 1e-12


class EncoderStudy:
    """``of``: by kind, the ranks under the chosen settings; ``first``: the first passages, where answers are looked for."""

    def __init__(self, world: World, card: LoadedCard, context: Context) -> None:
        self.world, self.card = world, card
        check_trained_for(card.card, card.system(context.consent), [part.dataset for part in world.track.parts])
        self._ranker = Ranker(card, world.asked, world.study, context)
        self._tried = {
            title: tuple(self._mean(self._ranker.of(None, title, 0), fold) for fold in (0, 1)) for title in TITLES
        }
        # A fold uses what is best in the other one.
        self._titles = tuple(_first_best([self._tried[title][1 - fold] for title in TITLES]) for fold in (0, 1))
        self.of: dict[str, Ranks] = {}
        self.first: dict[str, Ranks] = {}
        self._equal: dict[str, Ranks] = {}
        self._recalls = [answer_recall(world, cutoff) for cutoff in sorted({own.cutoff for own in world.study.answers})]
        self._recalled: dict[str, dict[str, Values]] = {}

    def _mean(self, ranks: Ranks, fold: int | None = None) -> float:
        return self.world.mean(ranks, self.world.track.primary, fold)[MACRO]

    def titles(self) -> Titles:
        chosen = (TITLES[self._titles[0]], TITLES[self._titles[1]])
        return Titles(encoder=self.card.card.name, chosen=chosen, tried=self._tried)

    def _title(self, fold: int) -> Title:
        return TITLES[self._titles[fold]]

    def _each(self, ranks: Callable[[Title], Ranks]) -> tuple[Ranks, Ranks]:
        """Of each question the rank under the title handling of its fold, and under that of the other fold.

        A weight for a fold is chosen by the second: the other fold's own handling was chosen on the fold that is judged.
        """
        one, two = self._title(0), self._title(1)
        first = ranks(one)
        second = first if one == two else ranks(two)
        return self.world.joined([first, second]), self.world.joined([second, first])

    def row(self, kind: Kind | Expansion | None) -> StudyRow:
        study = self.world.study
        if kind is None:
            self.of[NONE] = self._equal[NONE] = self._each(lambda title: self._ranker.of(None, title, 0))[0]
            return self._row(NONE, None, (0.0, 0.0), ())
        by_weight, curve = {}, []
        for weight in study.weights:
            own, crossed = self._each(lambda title, weight=weight: self._ranker.of(kind, title, weight))  # type: ignore[misc]
            folds = [self._mean(crossed, fold) for fold in (0, 1)]
            by_weight[weight] = own
            curve.append(Tried(weight=weight, macro=self._mean(own), folds=(folds[0], folds[1])))
        chosen = [study.weights[_first_best([point.folds[1 - fold] for point in curve])] for fold in (0, 1)]
        self.of[kind.name] = self.world.joined([by_weight[weight] for weight in chosen])
        self._equal[kind.name] = by_weight[study.equal_weight]
        return self._row(kind.name, kind, (chosen[0], chosen[1]), tuple(curve))

    def _row(
        self, name: str, kind: Kind | Expansion | None, weights: tuple[float, float], curve: tuple[Tried, ...]
    ) -> StudyRow:
        world = self.world
        measures = [measure for measure in world.track.measures if measure in MEASURES]
        values = {measure: world.mean(self.of[name], measure) for measure in measures}
        if (most := max((own.cutoff for own in world.study.answers), default=0)) > 0:
            folds = [self._ranker.first(kind, self._title(fold), weights[fold], most) for fold in (0, 1)]
            self.first[name] = world.joined(folds)
            self._recalled[name] = self._answers(name)
            values |= {measure: world.mean_of(own) for measure, own in self._recalled[name].items()}
        return StudyRow(
            encoder=self.card.card.name,
            kind=name,
            title="; ".join(dict.fromkeys(self._title(fold) for fold in (0, 1))),
            used=None if kind is None else self._used(kind),
            weights=() if kind is None else weights,
            curve=curve,
            values=values,
            at_equal_weight=world.mean(self._equal[name], world.track.primary),
        )

    def _answers(self, name: str) -> dict[str, Values]:
        """AnswerRecall of a row at every declared cutoff."""
        return {measure: own for scores in self._recalls for measure, own in scores.of(self.first[name]).items()}

    def answer_results(self) -> list[AnswerResult]:
        """The contrasts of the questions that [[study.answers]] names, in AnswerRecall."""
        found = []
        for own in self.world.study.answers:
            contrasts = [contrast for contrast in self.world.study.contrasts if contrast.question == own.question]
            measure = f"AnswerRecall@{own.cutoff}"
            values = {name: recalled[measure] for name, recalled in self._recalled.items()}
            found += [answer_result(self.world, self.card, contrast, {measure: values}) for contrast in contrasts]
        return found

    def _used(self, kind: Kind | Expansion) -> Used:
        world = self.world
        if isinstance(kind, Expansion):
            return used_of(self._ranker.expanded.of(kind, world.track.clean_parts[0].name))
        count, passages, tokens = 0, set(), 0
        for part in [world.study.kind(name) for name in kind.of] or [kind]:
            lang = world.track.parts[0].lang if part.languages in ("own", "others") else ""
            texts = self._ranker.texts.of(part, lang)
            for doc in world.asked.docs:
                own = [doc.text] if texts is None else list(texts[doc.doc_id])
                count += len(own)
                tokens += sum(map(tokens_of, own))
                passages |= {doc.doc_id} if own else set()
        return Used(texts=count, passages=len(passages), tokens=tokens)

    def result(self, contrast: Contrast) -> Result:
        world, track = self.world, self.world.track
        group = [part.name for part in track.clean_parts if part.lang in world.study.low_resource]

        def pair(ranks: Mapping[str, Ranks], measure: str) -> Pair:
            return Pair(*(world.values(ranks[name], measure) for name in (contrast.first, contrast.second)))

        def macro(ranks: Mapping[str, Ranks], measure: str) -> Tested:
            return tested(track, world.units, pair(ranks, measure))[0]

        own = pair(self.of, track.primary)
        none = world.values(self.of[NONE], track.primary)
        others = [measure for measure in track.measures if measure in MEASURES and measure != track.primary]
        return Result(
            **contrast.model_dump(exclude={"title"}),
            encoder=self.card.card.name,
            may_have_seen=may_have_seen(world, self.card),
            tests=tuple(tested(track, world.units, own)),
            beside={measure: macro(self.of, measure) for measure in others},
            at_equal_weight=macro(self._equal, track.primary),
            interaction=interaction(track, world.units, own, none, group) if group else None,
        )


def used_of(texts: Mapping[str, Sequence[str]]) -> Used:
    """Of the texts of questions or passages, by their ids."""
    flat = [text for own in texts.values() for text in own]
    return Used(texts=len(flat), passages=sum(map(bool, texts.values())), tokens=sum(map(tokens_of, flat)))


def _first_best(values: Sequence[float]) -> int:
    return next(place for place, value in enumerate(values) if value >= max(values) - _EQUAL)
