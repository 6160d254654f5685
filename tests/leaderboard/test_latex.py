"""The LaTeX table: its structure to the letter, and, where pdflatex is installed, that it compiles."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from boards import toy_board
from hypothesis import given
from hypothesis import strategies as st

from harness.leaderboard.exports.latex import escaped, to_latex
from harness.leaderboard.table import Leaderboard
from harness.runs.withdrawal import Withdrawal

BOARD = toy_board()
HOSTILE = r"\input{/etc/passwd} %$&#_{}~^ <x> |\"`` -- naïve Ångström Łódź Ğ ἀ 日本語 العربية \u202e😀 “q” α ﬁ"
# Made without its checks, which refuse some of this: an escape must not need them.
GONE = Withdrawal.model_construct(
    date=datetime.date(2026, 11, 25), reason=HOSTILE + "".join(map(chr, range(32, 0x250)))
)


def hostile_board() -> Leaderboard:
    titles = {"base": HOSTILE, "better": "x" * 200, "partial": "日本語"}
    return toy_board(titles=titles, withdrawn={"better": GONE})


def rows_of(text: str) -> list[list[str]]:
    body = text.split(r"\midrule")[1].split(r"\bottomrule", maxsplit=1)[0]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in body.strip().splitlines()]


def test_the_table_has_rules_a_header_and_one_line_per_system() -> None:
    lines = to_latex(BOARD).splitlines()
    assert lines[0] == r"% \usepackage{booktabs}"
    skeleton = [line for line in lines if line.startswith("\\") and not line.startswith(r"\caption")]
    assert skeleton == [
        r"\begin{table*}", r"\centering", r"\label{tab:xdr-toy}", r"\begin{tabular}{rlrrrr}", r"\toprule", r"\midrule",
        r"\bottomrule", r"\end{tabular}", r"\end{table*}",
    ]  # fmt: skip
    assert r" & System & macro & fi & ja & en \\" in lines
    assert rows_of(to_latex(BOARD)) == [
        ["1", "better", *[r"\textbf{100.0}\rlap{$^{\uparrow}$}"] * 3, r"10.0\rlap{$^{\downarrow}$}"],
        ["2", "base", "20.0", "10.0", "30.0", "90.0"],
        ["--", "partial", "--", r"\textbf{100.0}\rlap{$^{\uparrow}$}", "--", r"\textbf{100.0}"],
    ]


def test_the_caption_says_what_was_measured_and_how_it_was_tested() -> None:
    (caption,) = [line for line in to_latex(BOARD).splitlines() if line.startswith(r"\caption")]
    for fact in (r"RR $\times$ 100", "Toy (track toy, version 1)", "worse than base", r"$\alpha$ = 0.05", "unit: topic",
                 "two-sided paired randomization test", "macro: 1 tests, Holm, B = 2,000, smallest adjusted p 0.0005",
                 "per language: 5 tests, Holm", "all pairs: 1 tests, max-T, B = 10,000"):  # fmt: skip
        assert fact in caption


def test_a_withdrawn_row_is_grey_marked_and_never_bold() -> None:
    text = to_latex(toy_board(withdrawn={"better": GONE}))
    assert text.startswith(r"% \usepackage{booktabs,xcolor}")
    grey = [rf"\textcolor{{black!60}}{{{cell}}}" for cell in ("--", "better (withdrawn)", *["100.0"] * 3, "10.0")]
    assert rows_of(text)[-1] == grey
    assert "Grey: withdrawn on 2026-11-25: better." in text
    assert rows_of(text)[0][2] == r"\textbf{20.0}", "bold is the best of those that stand"


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_text_becomes_ascii_with_balanced_braces_and_no_live_character(text: str) -> None:
    shown = escaped(text)
    assert shown.isascii()
    assert shown.isprintable() or not shown
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", shown.replace(r"\\", "")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    bare = re.sub(r"\\([a-zA-Z]+|.)|\$[^$]*\$", "", shown)
    assert not set(bare) & set("\\%$&#_^"), "a character that LaTeX would act on"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("50% of R&D_x #1 {a}", r"50\% of R\&D\_x \#1 \{a\}"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("naïve Müller façade Škoda", 'na\\"{\\i}ve M\\"{u}ller fa\\c{c}ade \\v{S}koda'),
        ("e\u0301", r"\'{e}"),
        ("日\u202ex\u200b", r"\texttt{U+65E5}x"),
        ("a\n\tb", "a b"),
        ("αβΛλΩΑο", r"$\alpha$$\beta$$\Lambda$$\lambda$$\Omega$Ao"),
        ("\u03b9\u03b8\u03d1", r"$\iota$$\theta$$\vartheta$"),
        ("ðąПe\u0323", r"\texttt{U+00F0}\texttt{U+0105}\texttt{U+041F}\d{e}"),
    ],
)
def test_text_reads_as_it_was_written(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_every_letter_of_modern_greek_has_a_form_that_latex_knows_without_packages() -> None:
    for letter in "αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ":
        assert re.fullmatch(r"\$\\[A-Za-z]+\$|[A-Zo]", escaped(letter)), letter


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex; on Debian: texlive-latex-recommended")
def test_it_compiles_whatever_the_titles_are(tmp_path: Path) -> None:
    for name, board in (("plain", BOARD), ("hostile", hostile_board())):
        (tmp_path / "table.tex").write_text(to_latex(board), "ascii")
        document = r"\documentclass{article}\usepackage{booktabs,xcolor}\begin{document}\input{table}\end{document}"
        (tmp_path / f"{name}.tex").write_text(document)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        assert (tmp_path / f"{name}.pdf").is_file()
