"""The commands from end to end, as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import xdr

BAD_CARD = 'schema_version = 1\nname = "x"\ntitle = "x"\nadapter = "bm25"\nlicense = "none"\n'


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a leaderboard of a small track: BM25, a Python adapter and a program in awk."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "data").mkdir()
    docs = [("nile", "The Nile is 6,650 kilometres long."), ("volga", "The Volga is 3,530 kilometres long.")]
    lines = [json.dumps({"doc_id": name, "text": text}) for name, text in docs]
    (folder / "data/docs.jsonl").write_text("\n".join(lines) + "\n")
    queries = [("q1", "fi", "Kuinka pitkä on Volga?"), ("q2", "fi", "Niilin pituus"), ("q3", "ru", "Длина 6,650 Nile")]
    rows = [json.dumps({"query_id": q, "lang": lang, "text": text}) for q, lang, text in queries]
    (folder / "data/queries.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "data/qrels.txt").write_text("q1 0 volga 1\nq2 0 nile 1\nq3 0 nile 1\n")
    answers = [("q1", "3,530"), ("q2", "6,650"), ("q3", "6,650")]
    (folder / "data/answers.jsonl").write_text(
        "".join(json.dumps({"query_id": q, "answers": [text]}) + "\n" for q, text in answers)
    )
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "rivers"\nversion = 1\ntitle = "Rivers <b>&</b>"\ndescription = "Two rivers."\n'
        'measures = ["Success@1", "R@10t"]\nprimary = "Success@1"\ndepth = 2\nbaseline = "bm25"\nsystems = ["bm25"]\n'
        'parts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"}, '
        '{name = "ru", dataset = "folder(ru):data", lang = "ru"}]\n'
    )
    assert xdr("new", "mine", cwd=folder).returncode == 0
    assert xdr("new", "program", "--executable", cwd=folder).returncode == 0
    done = xdr("leaderboard", "track.toml", "mine/card.toml", "program/card.toml", "--allow-code", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "reports/rivers/index.html"
    return folder


def test_what_the_papers_leaderboard_lacks_is_in_one_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = xdr("leaderboard", "xor-retrieve", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    first, *others = done.stderr.splitlines()
    assert first == "xdr: track xor-retrieve cannot be run here yet (see docs/collections.md)"
    needs = "\n".join(others)
    assert needs.count("enwiki_20190201_w100.tsv (13 GB) is not in the cache") == 1
    assert needs.count("`hf download ielab/xor-tydi-xqg-augmented") == 1
    assert "mbert-xdr, mbert-xdr-xqg: model 'ielabgroup/bert-base-multilingual-cased-xor-tydi'" in needs
    for model in ("mbert-zero-shot", "xlmr-zero-shot", "xlmr-xdr"):
        assert f"{model}, {model}-xqg: no model folder" in needs
    assert not (tmp_path / "runs").exists()


def test_a_leaderboard_holds_all_three_ways_to_load_an_adapter(workplace: Path) -> None:
    board = json.loads((workplace / "runs/rivers/leaderboard.json").read_text())
    assert {row["system"] for row in board["rows"]} == {"bm25", "mine", "program"}
    values = {row["system"]: row["cells"]["Success@1"]["fi"]["value"] for row in board["rows"]}
    assert values == {"bm25": 0.5, "mine": 0.5, "program": 0.5}


def test_the_page_shows_the_numbers_of_ir_measures(workplace: Path) -> None:
    assert xdr("data", "export", "folder(fi):data", "exported", cwd=workplace).returncode == 0
    run = "runs/rivers/mine/fi.trec.gz"
    command = [sys.executable, "-m", "ir_measures", "exported/qrels.txt", run, "Success@1"]
    printed = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=True).stdout
    # ir_measures averages over the judged queries, those without a ranking included.
    assert float(printed.split()[-1]) == 0.5
    assert ">50.0<" in (workplace / "reports/rivers/index.html").read_text()


def test_a_second_leaderboard_changes_no_byte(workplace: Path) -> None:
    files = [
        path for path in workplace.rglob("*") if path.is_file() and path.parts[-3] in ("runs", "reports", "rivers")
    ]
    before = {path: path.read_bytes() for path in files}
    assert xdr("leaderboard", "track.toml", cwd=workplace).returncode == 0
    assert before
    assert {path: path.read_bytes() for path in files} == before


def test_validate_and_report_read_what_run_wrote(workplace: Path) -> None:
    done = xdr("validate", "runs/rivers/mine/fi.trec.gz", "--track", "track.toml", cwd=workplace)
    assert done.returncode == 0
    assert "valid, 1 rankings" in done.stderr
    scores = xdr("score", "track.toml", "--json", cwd=workplace)
    assert json.loads(scores.stdout)["mine"]["Success@1"] == {"fi": 0.5, "ru": 1.0}
    report = xdr("report", "runs/rivers/mine", "--track", "track.toml", cwd=workplace)
    assert report.returncode == 0
    assert "macro       75.0" in report.stdout
    assert "Judged" not in report.stdout, "nothing but what questions were written from was judged"


def test_compare_prints_its_test_and_families(workplace: Path) -> None:
    done = xdr("compare", "track.toml", cwd=workplace)
    assert done.returncode == 0
    assert "family 'macro', Success@1: 2 tests, Holm" in done.stdout


def test_a_row_is_made_again_compared_and_submitted(workplace: Path, tmp_path: Path) -> None:
    """In a copy, so that the tests of the leaderboard see no records."""
    folder = tmp_path / "copy"
    shutil.copytree(workplace, folder)
    done = xdr("reproduce", "runs/rivers", "--all", "--track", "track.toml", "--allow-code", cwd=folder)
    assert done.returncode == 1, "the adapters of two rows are not where their manifests can tell"
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "identical" in lines["bm25"]
    assert "not made" in lines["mine"]
    assert "Traceback" not in done.stderr
    one = ["reproduce", "runs/rivers/mine", "--card", "mine/card.toml", "--track", "track.toml"]
    unasked = xdr(*one, cwd=folder)
    assert unasked.returncode == 2
    assert "add --allow-code" in unasked.stderr
    single = xdr(*one, "--allow-code", cwd=folder)
    assert single.returncode == 0, single.stderr
    assert single.stdout.startswith("mine on rivers: identical")

    submitted = xdr(
        "submit", "track.toml", "mine/card.toml", "runs/rivers/mine/fi.trec.gz", "--runs", "new", cwd=folder
    )
    assert submitted.returncode == 0, submitted.stderr
    assert "Success@1: macro 25.0  fi 50.0  ru 0.0" in submitted.stdout
    assert "part ru: no run" in submitted.stderr
    assert "git add new/rivers/mine" in submitted.stderr

    differing = xdr("diff", "runs/rivers/mine", "new/rivers/mine", "--track", "track.toml", "--json", cwd=folder)
    assert differing.returncode == 1
    (query,) = [q for q in json.loads(differing.stdout)["queries"] if q["measure"] == "Success@1"]
    assert query == {"part": "ru", "measure": "Success@1", "query_id": "q3", "one": 1.0, "two": 0.0}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["reproduce", "nowhere"], 2, "there is no nowhere; give a run's folder"),
        (["reproduce", ".", "--all"], 2, "holds no runs"),
        (["reproduce", ".", "--all", "--card", "x"], 2, "--card is the card of one run"),
        (["diff", ".", "nowhere"], 2, "nowhere is not a folder"),
        (["submit", "mini", "nowhere.toml"], 2, "no file nowhere.toml"),
        (["submit", "mini", "bad.toml", "nowhere.trec"], 2, "no file nowhere.trec"),
        (["submit", "mini", "bad.toml", "--query-map", "x"], 2, "--query-map belongs to finished run files"),
        (["frobnicate"], 2, "No such command"),
        (["run", "xqad", "bm25"], 2, "did you mean 'xquad'?"),
        (["run", "mini", "bm26"], 2, "did you mean 'bm25'?"),
        (["run", "mini", "nowhere.toml"], 2, "no file nowhere.toml"),
        (["run", "mini", "bad.toml"], 1, "license: unknown key; did you mean 'licence'?"),
        (["validate", "nowhere"], 2, "no file or folder nowhere"),
        (["validate", "bad.toml", "--track", "mini", "--part", "xx"], 2, "has no part 'xx'"),
        (["score", "mini"], 1, "no runs of track mini"),
        (["report", "."], 1, "has no manifest.yaml"),
        (["data", "fetch"], 2, "say what to fetch"),
        (["data", "import", "nowhere"], 2, "nowhere is not a folder"),
        (["data", "list", "xqad"], 2, "did you mean 'xquad'"),
        (["data", "export", "xqad/ar", "x"], 2, "did you mean 'xquad/ar'"),
        (["list", "trakcs"], 2, "did you mean 'tracks'?"),
        (["new", "Bad Name"], 2, "cannot be a system's name"),
    ],
)
def test_wrong_input_ends_with_a_message_and_its_exit_status(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    (tmp_path / "bad.toml").write_text(BAD_CARD)
    done = xdr(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"], "something was written"


def test_help_does_not_import_what_is_slow(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['xdr', '--help']\nfrom harness.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'ir_datasets', 'pydantic', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_json_lists_are_readable_by_machines(tmp_path: Path) -> None:
    listed = json.loads(xdr("list", "--json", cwd=tmp_path).stdout)
    assert "mini" in {row["name"] for row in listed["tracks"]}
    assert "bm25" in {row["name"] for row in listed["adapters"]}
    assert {"name": "stop-words", "about": "No stop words"} in listed["perturbations"]


def test_other_tests_are_printed_and_refused_where_they_do_not_apply(workplace: Path) -> None:
    before = (workplace / "runs/rivers/comparison.json").read_bytes()
    done = xdr("compare", "track.toml", "--test", "mcnemar", cwd=workplace)
    assert done.returncode == 0
    assert "cannot test a macro average" in done.stdout
    assert "exact McNemar" in done.stdout
    assert (workplace / "runs/rivers/comparison.json").read_bytes() == before
    assert xdr("compare", "track.toml", "--test", "anova", cwd=workplace).returncode == 2


def test_published_results_are_listed(tmp_path: Path) -> None:
    rows = json.loads(xdr("list", "published", "--json", cwd=tmp_path).stdout)["published"]
    assert any("xqg" in row["name"] and "53.35" in row["about"] for row in rows)
