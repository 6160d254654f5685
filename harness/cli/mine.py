"""``xdr mine``: rows to train on, from a run and a labeller."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import AllowCode, Json, note, print_findings, print_json, progress, say
from harness.cli.operator_options import check_device
from harness.cli.tables import say_table
from harness.recipes.mine.settings import LABELLERS, NEGATIVES, TOP

if TYPE_CHECKING:
    from harness.errors import Finding
    from harness.recipes.mine.questions import MinedRun
    from harness.recipes.rows.manifest import RowsManifest

_LABELLERS = "; ".join(f"{name}: {meaning}" for name, meaning in LABELLERS.items())


def mine(
    run: Annotated[Path, typer.Argument(help="A run's folder, runs/TRACK/SYSTEM, or with --dataset a TREC file.")],
    labeller: Annotated[str, typer.Argument(help=f"{_LABELLERS}.")],
    out: Annotated[Path, typer.Option("--out", help="NAME.jsonl or NAME.jsonl.gz.", metavar="PATH")],
    dataset: Annotated[
        str, typer.Option("--dataset", help="Collection whose questions a TREC file answers.", metavar="ID")
    ] = "",
    track: Annotated[str, typer.Option("--track", help="The track's TOML file, where the name does not tell.")] = "",
    top: Annotated[int, typer.Option("--top", min=1, help="Passages of each ranking that are looked at.")] = TOP,
    negatives: Annotated[int, typer.Option("--negatives", min=0, help="At most so many in a row.")] = NEGATIVES,
    skip: Annotated[int, typer.Option("--skip", min=0, help="Leave out so many of the first negatives.")] = 0,
    sampling: Annotated[
        str, typer.Option("--sampling", help="top: the first of the negatives; random: drawn from all of them.")
    ] = "top",
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", help="No negatives: qrels, judged passages; answers, those that hold one. Repeatable."
        ),
    ] = None,
    absolute_margin: Annotated[
        float | None, typer.Option("--absolute-margin", min=0, help="Negatives score at least so far below a positive.")
    ] = None,
    relative_margin: Annotated[
        float | None, typer.Option("--relative-margin", min=0, help="The same, as a share of the positive's score.")
    ] = None,
    reader: Annotated[
        Path | None, typer.Option("--reader", help="Folder of a reader, for labellers that ask one.", metavar="DIR")
    ] = None,
    english: Annotated[
        str,
        typer.Option(
            "--english",
            metavar="ID",
            help="The questions in English: a parallel collection, or questions-parallel. The reader reads these.",
        ),
    ] = "",
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", help="Write passages once, into this file, and rows with ids.", metavar="PATH"),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Write the run's scores, as those of a teacher.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 42,
    device: Annotated[str, typer.Option("--device", help="Of the reader: cpu, cuda, cuda:1, or auto.")] = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Batches of the reader at once; never changes a result.")
    ] = os.cpu_count() or 1,
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Mine rows to train on from a run: positives by a labeller, and hard negatives. What a reader has read outlives a kill."""
    from harness.dense.encoder import resolved_device
    from harness.recipes.mine.english import english_of
    from harness.recipes.mine.runner import Job, check_asked
    from harness.recipes.mine.runner import mine as mine_rows
    from harness.recipes.mine.settings import MineSettings
    from harness.recipes.reading import ReaderSettings

    check_device(device)
    settings = MineSettings(
        labeller=labeller,
        top=top,
        negatives=negatives,
        skip=skip,
        sampling=sampling,
        exclude=tuple(dict.fromkeys(exclude or ())),
        absolute_margin=absolute_margin,
        relative_margin=relative_margin,
        scores=scores,
        seed=seed,
    )
    check_asked(settings, reader is not None, out, corpus)
    found, warnings = _opened(run, dataset, track, allow_code)
    print_findings(warnings)
    if (deepest := found.deepest) < top:
        note(f"no ranking has more than {deepest} passages, so that --top {top} looks at all of them")
    languages = [query.lang or part.lang for part in found.parts for query in part.collection.queries]
    job = Job(
        run=found,
        settings=settings,
        out=out,
        corpus=corpus,
        reader=ReaderSettings(_folder(reader), resolved_device(device)) if reader is not None else None,
        english=english_of(english, languages) if english else None,
    )
    mined = mine_rows(job, progress(), workers)
    if mined.reused:
        note(f"{out} holds these very rows already")
    elif mined.kept:
        note(f"{mined.read} passages were read; what was read in {mined.kept} others was kept from before")
    _note_evaluation(mined.manifest)
    if as_json:
        print_json(mined.manifest.counts)
        return
    _show(mined.manifest.counts)
    say(out)


def _opened(run: Path, dataset: str, track: str, allow_code: bool) -> tuple[MinedRun, list[Finding]]:
    from harness.adapters.consent import Consent
    from harness.errors import WrongUsage
    from harness.runs import mining

    if dataset:
        if run.is_dir() or track:
            raise WrongUsage("--dataset goes with a TREC file; a run's folder has its track's collections")
        return mining.of_file(run, dataset)
    if not run.is_dir():
        raise WrongUsage(
            f"{run} is no run's folder, runs/TRACK/SYSTEM; a TREC file needs --dataset, the collection asked"
        )
    return mining.recorded(run, track, Consent(allow_code))


def _folder(reader: Path) -> Path:
    from harness.errors import WrongUsage

    if not reader.is_dir():
        raise WrongUsage(f"no reader's folder {reader}; name one with a question-answering model of transformers")
    return reader


def _note_evaluation(manifest: RowsManifest) -> None:
    from harness.collections import dataset_ids

    asked = [name for name in manifest.questions_of if name in dataset_ids() and "train" not in name.split("/")]
    if asked:
        note(
            f"warning: questions of {', '.join(asked)} are evaluation questions; xdr train drops rows of questions that are "
            "asked (docs/train.md, transductive)"
        )


def _show(counts: dict[str, Any]) -> None:
    """One line for each language."""
    holds = any("against gold" in own for own in counts.values())
    header = ["", "questions", "rows", "fallback", "skipped", "positives", "negatives", "removed"]
    header += ["precision", "recall", "gold found"] if holds else []
    lines = []
    for lang, own in counts.items():
        line = [lang or "?", *(str(own[name]) for name in ("questions", "rows", "fallback"))]
        line += [str(sum(own["skipped"].values())), _number(own["mean positives"]), _number(own["mean negatives"])]
        line += [str(sum(own["removed"].values()))]
        if holds:
            gold = own.get("against gold", {})
            found = (gold.get("gold among the first"), gold.get("gold"))
            line += [_number(gold.get("precision"), 3), _number(gold.get("recall"), 3)]
            line += [f"{found[0]} of {found[1]}" if gold else "-"]
        lines.append(line)
    say_table(header, lines)
    for lang, own in counts.items():
        for reason, count in own["skipped"].items():
            note(f"  {lang or '?'}: {count} skipped, {reason}")


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
