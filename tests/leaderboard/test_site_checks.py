"""The independent check of a page is run as the page prints it, and its numbers are the page's, digit for digit."""

from __future__ import annotations

import gzip
import html
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import pytrec_eval
from punkt.data import english
from site_pages import ROOT, Pages
from typer.testing import CliRunner

from harness.cli import app
from harness.runs.score import judged_part

SHOWN = re.compile(r"<code>(.*?)</code></pre>", re.DOTALL)


def commands_on(page: Path, tool: str) -> list[list[str]]:
    """The commands of the tool's box, split as a shell splits them."""
    text = page.read_text("utf-8")
    box = text[text.index(f"<strong>{tool}</strong>") :]
    lines = html.unescape(SHOWN.search(box)[1]).splitlines()  # type: ignore[index]
    return [shlex.split(line) for line in lines if line.strip()]


@pytest.fixture
def workplace(tmp_path: Path, mini: Pages, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the runs, where the commands of a page are run."""
    shutil.copytree(ROOT / "runs" / "mini", tmp_path / "runs" / "mini")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(command: list[str]) -> None:
    assert command[:3] == ["xdr", "data", "export"]
    result = CliRunner().invoke(app, command[1:])
    assert result.exit_code == 0, result.output


def part_and_system(run: str) -> tuple[str, str]:
    path = Path(run)
    return path.name.removesuffix(".trec.gz"), path.parent.name


@pytest.mark.parametrize("page", ["index.html", "languages/te.html", "systems/mini-xdr.html"])
def test_ir_measures_as_printed_gives_the_numbers_of_the_board(workplace: Path, mini: Pages, page: str) -> None:
    exported, (tool, *arguments) = commands_on(mini.own / page, "ir_measures")
    assert tool == "ir_measures"
    export(exported)
    done = subprocess.run(
        [sys.executable, "-m", "ir_measures", *arguments, "--places", "17"],
        cwd=workplace, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(line.split() for line in done.stdout.splitlines())
    part, system = part_and_system(arguments[1])
    assert set(found) == {"Success@1", "Success@10", "RR@10"}
    for measure, value in found.items():
        assert float(value) == pytest.approx(mini.score(system).mean(part, measure), abs=1e-12), measure


@pytest.mark.parametrize("page", ["index.html", "languages/ko.html", "systems/mini-xdr-xqg.html"])
def test_trec_eval_as_printed_gives_the_numbers_of_the_board(workplace: Path, mini: Pages, page: str) -> None:
    """The library of trec_eval computes what the printed options ask for, on the files that the commands name."""
    exported, unpacked, *evaluations = commands_on(mini.own / page, "trec_eval")
    export(exported)
    assert unpacked[:2] == ["gunzip", "-c"]
    assert unpacked[3:] == [">", "run.trec"]
    part, system = part_and_system(unpacked[2])
    run: dict[str, dict[str, float]] = {}
    for line in gzip.decompress((workplace / unpacked[2]).read_bytes()).decode().splitlines():
        query_id, _, doc_id, _, score, _ = line.split()
        run.setdefault(query_id, {})[doc_id] = float(score)
    names = ["Success@1", "Success@10", "RR@10"]
    for name, (tool, *options, qrels, file) in zip(names, evaluations, strict=True):
        assert (tool, file) == ("trec_eval", "run.trec")
        judged: dict[str, dict[str, int]] = {}
        for line in (workplace / qrels).read_text("utf-8").splitlines():
            query_id, _, doc_id, grade = line.split()
            judged.setdefault(query_id, {})[doc_id] = int(grade)
        assert mean_of_trec_eval(options, judged, run) == pytest.approx(mini.score(system).mean(part, name), abs=1e-9)


def mean_of_trec_eval(options: list[str], qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> float:
    """Mean over all judged queries (-c) of the measure (-m) on rankings cut at -M."""
    assert options[0] == "-c"
    settings = dict(zip(options[1::2], options[2::2], strict=True))
    depth = int(settings.get("-M", 10**9))
    cut = {
        query_id: dict(sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)[:depth])
        for query_id, scores in run.items()
    }
    measure = settings["-m"]
    results = pytrec_eval.RelevanceEvaluator(qrels, {measure}).evaluate(cut)
    key = measure.replace(".", "_")
    return sum(results.get(query_id, {}).get(key, 0.0) for query_id in qrels) / len(qrels)


def test_a_page_of_a_run_with_ties_shows_no_check_that_would_differ(mini: Pages) -> None:
    for score in mini.scores:
        text = (mini.own / "systems" / f"{score.system}.html").read_text("utf-8")
        tied = set(score.context["ties"])
        # The script of recall in tokens takes the passages in the order of their ranks, and breaks no tie by itself.
        told = [line for line in text.splitlines() if "ir_measures exported" in line or "gunzip -c" in line]
        for part in re.findall(rf"runs/mini/{re.escape(score.system)}/([a-z]+)\.trec\.gz", "\n".join(told)):
            assert part not in tied


def test_the_exported_judgements_are_those_of_the_scores(workplace: Path, mini: Pages) -> None:
    exported, arguments = commands_on(mini.own / "languages" / "fi.html", "ir_measures")
    export(exported)
    asked = {line.split()[0] for line in (workplace / arguments[1]).read_text("utf-8").splitlines()}
    assert asked == set(judged_part(mini.track.part("fi")).query_ids)


def keep_punkt(folder: Path) -> None:
    """What NLTK's downloader would fetch, out of the package that has the same data."""
    files = {
        "abbrev_types.txt": sorted(english.ABBREV_TYPES),
        "sent_starters.txt": sorted(english.SENT_STARTERS),
        "collocations.tab": ["\t".join(pair) for pair in sorted(english.COLLOCATIONS)],
        "ortho_context.tab": [f"{word}\t{context}" for word, context in sorted(english.ORTHO_CONTEXT.items())],
    }
    folder.mkdir(parents=True)
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines), "utf-8")


@pytest.mark.parametrize("page", ["index.html", "languages/ko.html", "systems/bm25.html", "systems/mini-xdr-xqg.html"])
def test_the_script_of_recall_in_tokens_prints_what_the_page_expects(workplace: Path, mini: Pages, page: str) -> None:
    text = (mini.own / page).read_text("utf-8")
    export, download, script = commands_on(mini.own / page, "a script of its own, with NLTK alone")
    expected = dict(re.findall(r"(R@[0-9]+k?t) <b>([0-9.]+)</b>", text[text.index("a script of its own") :]))
    assert set(expected) == {"R@500t", "R@2kt"}
    assert CliRunner().invoke(app, export[1:]).exit_code == 0
    assert download == ["python", "-m", "nltk.downloader", "punkt_tab"]
    keep_punkt(workplace / "nltk_data" / "tokenizers" / "punkt_tab" / "english")
    shutil.copy(mini.folder / "assets" / "token_recall.py", workplace)
    environment = {**os.environ, "NLTK_DATA": str(workplace / "nltk_data")}
    command = [sys.executable, *script[1:]]
    done = subprocess.run(command, cwd=workplace, env=environment, capture_output=True, text=True, check=True)
    printed = dict(line.split() for line in done.stdout.splitlines())
    assert printed == {"R@500t": expected["R@500t"], "R@2000t": expected["R@2kt"]}
