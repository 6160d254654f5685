"""What a study finds in the first passages: AnswerRecall as runs have it, and exact match of a reader that is recorded."""

from __future__ import annotations

import functools
import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tiny_readers
from small_study import ANSWERS, STUDY, TWO, run_study

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.cli import app
from harness.compare import contrasts
from harness.compare.records import MACRO
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import write_together
from harness.measures.readings import Answered
from harness.measures.squad_answers import normalized_answer
from harness.runs.variations import scores_of, varied
from harness.submissions.study import reading as reading_module
from harness.submissions.study.answers import answer_recall
from harness.submissions.study.continued import continued
from harness.submissions.study.ranks import Ranker, asked_by
from harness.submissions.study.reading import Asked, RecordedReader, Who, lines_of, read_spans, spans_file
from harness.submissions.study.records import AnswerResult, StudyReading, StudyResult, read_study, study_text
from harness.submissions.study.runner import Made, decided, make_study
from harness.submissions.study.world import World, folds_of
from harness.tracks import Track, load_track
from harness.tracks.units import units_of

NAME = "made-up-01234567"
EM = f"EM@1({NAME})"


@pytest.fixture
def context(xdr_home: Path, tmp_path: Path) -> Context:
    return Context(xdr_home, tmp_path / "work")


def track(tmp_path: Path, text: str = STUDY) -> Track:
    path = tmp_path / "answers.toml"
    path.write_text(text + ANSWERS)
    return load_track(str(path))


class MadeUpReader:
    """Finds the accepted answer in the relevant passage of every question but each third, and nothing anywhere else."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def who(self, world: World) -> Who:
        return Who(NAME, {"name": NAME}, {}, "cpu", {})

    def answers(self, world: World, asked: Sequence[Asked]) -> list[Answered]:
        self.asked += asked
        return [self.answer(world.track, *own) for own in asked]

    def answer(self, track: Track, part: str, query_id: str, doc_id: str) -> Answered:
        collection = track.part(part).collection
        if not self.knows(query_id) or doc_id not in (collection.qrels or {})[query_id]:
            return Answered("", -math.inf)
        return Answered((collection.answers or {})[query_id][0], 1.0)

    @staticmethod
    def knows(query_id: str) -> bool:
        return int(query_id.rpartition("-")[2]) % 3 > 0


OfTwo = Callable[..., Made]


@pytest.fixture(scope="module")
def of_two(xdr_home: Path, tmp_path_factory: pytest.TempPathFactory) -> OfTwo:
    """The study of both encoders, or of those that are named, with what the made-up reader answers; each is made once."""
    folder = tmp_path_factory.mktemp("two")
    both = track(folder, TWO)

    @functools.cache
    def made(*encoders: str) -> Made:
        return make_study(both, Context(xdr_home, folder / "work"), encoders, MadeUpReader())

    return made


def test_answer_recall_is_that_of_a_run_of_the_card(tmp_path: Path, context: Context) -> None:
    text = STUDY.replace('name = "small"', 'name = "small-answers"')
    small = track(tmp_path, text.replace('"Success@1"]', '"Success@1", "AnswerRecall@5"]'))
    assert small.study is not None
    kind, asked = small.study.kind("questions"), asked_by(small)
    world = World(small, small.study, asked, units_of(small), *folds_of(asked))
    first = Ranker(load_card("mini-xdr"), asked, small.study, context).first(kind, "ignore", 0.7, 5)
    found = answer_recall(world, 5).of(first)["AnswerRecall@5"]
    changes = {"generated": kind.texts, "text_kind": "query", "generated_max_length": 64, "per_language": 1}
    fusion = {"alpha": 0.7, "combine": "mean", "renormalize": True}
    card = varied(
        load_card("mini-xdr-xqg"), {**changes, "languages": ["bn", "fi"], "title": "ignore", "fusion": fusion}
    )
    scores = scores_of(small, card, "test", context)
    for part in ("bn", "fi"):
        recorded = scores.values[part, "AnswerRecall@5"]
        assert {query: value for (of, query), value in found.items() if of == part} == dict(recorded)


def test_rows_and_contrasts_have_the_declared_answer_recall(tmp_path: Path, context: Context) -> None:
    found = run_study(track(tmp_path), context)
    (result,) = found.answers
    for test in result.tests:
        one, two = (found.row("mini-xdr", name).values["AnswerRecall@1"] for name in ("questions", "passages"))
        assert test.difference == pytest.approx(one[test.column] - two[test.column])
    assert result.measure == "AnswerRecall@1"
    assert result.tests[0].p_adjusted == result.tests[0].p, "a family of its own"
    copies, none = (found.row("mini-xdr", name).values["AnswerRecall@1"] for name in ("self-copy", "none"))
    assert copies == none
    before = run_study(load_track(_without_answers(tmp_path)), context)
    assert before.results == found.results, "what was recorded before is as it was"


def _without_answers(tmp_path: Path) -> str:
    path = tmp_path / "before.toml"
    path.write_text(STUDY)
    return str(path)


def test_exact_match_is_what_the_spans_say_and_the_ceiling_what_the_reader_knows(
    tmp_path: Path, context: Context
) -> None:
    small, reader = track(tmp_path), MadeUpReader()
    made = make_study(small, context, reader=reader)
    (reading,) = made.result.readings
    assert {row.kind for row in reading.rows} == {"none", "questions", "passages"}
    spans = made.spans[NAME]
    for part in ("bn", "fi"):
        queries = [query.query_id for query in small.part(part).collection.queries]
        known = sum(map(reader.knows, queries)) / len(queries)
        assert reading.gold[EM][part] == pytest.approx(known)
    for row in reading.rows:
        # The made-up reader is right where the relevant passage is first, and it knows the question.
        world_row = made.result.row("mini-xdr", row.kind)
        assert row.values[EM][MACRO] <= world_row.values["Success@1"][MACRO]
        assert row.values[f"F1@1({NAME})"][MACRO] == pytest.approx(row.values[EM][MACRO])
    assert all(
        normalized_answer(answer.text) in map(normalized_answer, (small.part(part).collection.answers or {})[query])
        for (part, query, _), answer in spans.items()
        if answer.text
    )
    (result,) = reading.results
    one, two = (next(row for row in reading.rows if row.kind == kind) for kind in ("questions", "passages"))
    assert result.tests[0].difference == pytest.approx(one.values[EM][MACRO] - two.values[EM][MACRO])
    assert len(reader.asked) == len(set(reader.asked)) == reading.pairs == len(spans)


def _write(path: Path, made: Made) -> None:
    files = [(spans_file(path, name), gzip.compress(lines_of(own))) for name, own in made.spans.items()]
    write_together([*files, (path, study_text(made.result).encode())])


def test_recorded_answers_are_scored_without_the_reader_and_damaged_ones_refused(
    tmp_path: Path, context: Context
) -> None:
    small = track(tmp_path)
    made = make_study(small, context, reader=MadeUpReader())
    path = tmp_path / "runs" / "study.json"
    path.parent.mkdir()
    _write(path, made)
    recorded = read_study(path)
    assert recorded == made.result
    (reading,) = made.result.readings
    file = spans_file(path, NAME)
    again = make_study(small, context, reader=RecordedReader(reading, file))
    assert again.result == made.result
    whole = gzip.decompress(file.read_bytes())
    for damaged, said in (
        (whole.replace(b'"score": 1.0', b'"score": 2.0', 1), "not hold the answers that the study describes"),
        (whole + b"{}\n", "not hold answers"),
        (whole[: len(whole) // 2], "not hold answers"),
    ):
        file.write_bytes(gzip.compress(damaged))
        with pytest.raises(InvalidInput, match=said):
            read_spans(file, reading)
    few = dict(list(made.spans[NAME].items())[1:])
    file.write_bytes(gzip.compress(lines_of(few)))
    described = RecordedReader(reading.model_copy(update={"file": _digest(few)}), file)
    with pytest.raises(InvalidInput, match="has no answer to 1 questions"):
        make_study(small, context, reader=described)
    file.unlink()
    with pytest.raises(InvalidInput, match="is missing; read again"):
        read_spans(file, reading)


def _digest(spans: dict[Asked, Answered]) -> str:
    from harness.submissions.study.reading import described

    return str(described(spans)["file"])


def test_readings_made_encoder_by_encoder_are_those_of_all(tmp_path: Path, context: Context, of_two: OfTwo) -> None:
    both = track(tmp_path, TWO)
    path = tmp_path / "runs" / "study.json"
    path.parent.mkdir()
    one = of_two("mini-zero-shot")
    _write(path, one)
    two = of_two("mini-xdr")
    joined = continued(one.result, two, both, path)
    whole = of_two()
    assert joined.spans == whole.spans
    assert joined.result == whole.result
    kept = continued(whole.result, make_study(both, context, ["mini-xdr"]), both, path).result
    assert {row.encoder for row in kept.readings[0].rows} == {"mini-zero-shot"}, "the other one was not read"


def test_two_questions_have_one_reading_of_a_reader(tmp_path: Path, context: Context) -> None:
    """Each question's contrast in exact match at its own cutoff, and one file that holds all that was read."""
    path = tmp_path / "two.toml"
    path.write_text(STUDY.replace("contrasts = [", "contrasts = [\n" + _ENGLISH) + _BOTH_ANSWERS)
    both, reader = load_track(str(path)), MadeUpReader()
    made = make_study(both, context, reader=reader)
    (reading,) = made.result.readings
    assert {own.question: own.measure for own in reading.results} == {"english": f"EM@2({NAME})", "passages": EM}
    assert {row.kind for row in reading.rows} == {"none", "questions", "passages", "own"}
    assert reading.pairs == len(made.spans[NAME]) == len(set(reader.asked)) == len(reader.asked)
    assert reading.top == 2
    alone = make_study(track(tmp_path), context, reader=MadeUpReader()).result.readings[0]
    (of_passages,) = (own for own in reading.results if own.question == "passages")
    assert of_passages == alone.results[0]
    file = tmp_path / "runs" / "study.json"
    file.parent.mkdir()
    _write(file, made)
    assert read_study(file) == made.result
    again = make_study(both, context, reader=RecordedReader(reading, spans_file(file, NAME)))
    assert again.result == made.result


_BOTH_ANSWERS = """
answers = [
    { question = "english", cutoff = 2, seen_before_declaring = "Nothing." },
    { question = "passages", cutoff = 1, seen_before_declaring = "Nothing." },
]
"""


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"reader": {"name": NAME, "weights": "another"}}, f"reader of {NAME}"),
        ({"english": {"name": "xquad/en", "digest": "another"}}, f"English questions of {NAME}"),
    ],
)
def test_readings_of_another_reader_or_of_other_questions_are_not_joined(
    tmp_path: Path, context: Context, of_two: OfTwo, update: dict[str, object], said: str
) -> None:
    both = track(tmp_path, TWO)
    path = tmp_path / "runs" / "study.json"
    path.parent.mkdir()
    one = of_two("mini-zero-shot")
    old = one.result.readings[0].model_copy(update=update)
    recorded = one.result.model_copy(update={"readings": (old,)})
    _write(path, Made(recorded, one.spans))
    with pytest.raises(InvalidInput, match="read all encoders in one command") as caught:
        continued(recorded, of_two("mini-xdr"), both, path)
    assert said in str(caught.value)
    anew = of_two()
    assert continued(recorded, anew, both, path).result == anew.result, "nothing of the other reader is kept"


def test_recorded_answers_are_taken_apart_once_for_all_encoders(
    tmp_path: Path, context: Context, of_two: OfTwo, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = track(tmp_path, TWO)
    path = tmp_path / "runs" / "study.json"
    path.parent.mkdir()
    made = of_two()
    _write(path, made)
    read: list[Path] = []

    def counted(own: Path, recorded: StudyReading) -> dict[Asked, Answered]:
        read.append(own)
        return read_spans(own, recorded)

    monkeypatch.setattr(reading_module, "read_spans", counted)
    source = RecordedReader(made.result.readings[0], spans_file(path, NAME))
    assert make_study(both, context, reader=source).result == made.result
    assert read == [spans_file(path, NAME)]


def test_answers_may_be_declared_later_and_not_be_changed(tmp_path: Path, context: Context) -> None:
    path = tmp_path / "study.json"
    both = track(tmp_path, TWO)
    before = tmp_path / "before.toml"
    before.write_text(TWO)
    recorded = run_study(load_track(str(before)), context, ["mini-zero-shot"])
    joined = continued(recorded, make_study(both, context, ["mini-xdr"]), both, path).result
    assert [found.encoder for found in joined.answers] == ["mini-xdr"]
    assert joined.answers[0].tests[0].p_adjusted == pytest.approx(2 * joined.answers[0].tests[0].p)
    assert len(joined.results) == 2


def test_a_family_counts_every_declared_encoder_whichever_questions_it_was_asked(tmp_path: Path) -> None:
    """One encoder was recorded before a second question was declared, another after it, and a third one never."""
    text = TWO.replace('"mini-zero-shot"]', '"mini-zero-shot", "me5-small-q4"]')
    text = text.replace("contrasts = [", "contrasts = [\n" + _ENGLISH)
    wide = track(tmp_path, text)
    asked = (("mini-xdr", "english"), ("mini-zero-shot", "english"), ("mini-zero-shot", "passages"))
    found = decided(wide, [_answered(encoder, question) for encoder, question in asked])
    adjusted = [[test.p_adjusted for test in result.tests] for result in found]
    assert adjusted[0] == adjusted[1] == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted[2] == pytest.approx([0.03, 0.06, 0.06]), "three encoders, one contrast, two languages"


_ENGLISH = '    { name = "english", question = "english", title = "less own", first = "questions", second = "own" },'


def _answered(encoder: str, question: str) -> AnswerResult:
    tests = tuple(
        contrasts.Tested(column=column, difference=0.1, interval=None, p=0.01) for column in (MACRO, "bn", "fi")
    )
    names = {"name": question, "question": question, "encoder": encoder, "measure": "AnswerRecall@1"}
    return AnswerResult(**names, first="questions", second="own", may_have_seen=False, tests=tests, beside={})


def test_the_command_reads_with_a_folder_then_with_what_it_recorded(tmp_path: Path, xdr_home: Path) -> None:
    track(tmp_path, STUDY.replace("weights = [0.3, 0.7]", "weights = [0.3, 1.0]"))
    path = tmp_path / "runs" / "small" / "study.json"

    def study(*options: str) -> StudyResult:
        with pytest.raises(SystemExit) as ended:
            app(["study", str(tmp_path / "answers.toml"), "--runs", str(tmp_path / "runs"), *options])
        assert not ended.value.code
        found = read_study(path)
        assert found is not None
        return found

    found = study("--reader", str(tiny_readers.shared()))
    (reading,) = found.readings
    assert spans_file(path, reading.reading).is_file()
    assert study("--reader", reading.reading) == found
    with pytest.raises(WrongUsage, match=f"those are: {reading.reading}"):
        app(["study", str(tmp_path / "answers.toml"), "--runs", str(tmp_path / "runs"), "--reader", "nobody"])
    with pytest.raises(WrongUsage, match="name one with --reader"):
        app(["study", str(tmp_path / "answers.toml"), "--runs", str(tmp_path / "runs"), "--english", "xquad/en"])


def test_a_reader_is_refused_where_nothing_of_answers_is_declared(tmp_path: Path, context: Context) -> None:
    with pytest.raises(WrongUsage, match="declares nothing of answers"):
        make_study(load_track(_without_answers(tmp_path)), context, reader=MadeUpReader())
    path = tmp_path / "other.toml"
    path.write_text(STUDY + ANSWERS.replace('"passages"', '"english"'))
    with pytest.raises(InvalidInput, match="answers name a question that has contrasts"):
        load_track(str(path))
