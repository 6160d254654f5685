"""BibTeX entries: read strictly, in cards and in the project's own references."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.bibtex import entries_of, harmless_entry, one_entry
from harness.adapters.card import load_card
from harness.errors import InvalidInput
from harness.leaderboard.exports.bibtex import references

ENTRY = '@InProceedings{key2023, title = {A {BM25} "model"}, author = "M{\\"u}ller, A.", year = 2023, month = jul,}'


def test_an_entry_is_read_with_braces_quotation_marks_and_bare_values() -> None:
    entry = one_entry(f"\n{ENTRY}\n")
    assert (entry.kind, entry.key, entry.text) == ("inproceedings", "key2023", ENTRY)
    assert entry.fields == {
        "title": 'A {BM25} "model"', "author": 'M{\\"u}ller, A.', "year": "2023", "month": "jul",
    }  # fmt: skip
    assert one_entry(entry.renamed("other").text) == entry.renamed("other")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "exactly one entry, found 0"),
        (ENTRY + ENTRY, "exactly one entry, found 2"),
        ("Smith 2023", "line 1, column 1: expected an entry"),
        (ENTRY + "\n and more", "line 2, column 2: expected an entry"),
        ("@string{a = {b}}", "expected an entry"),
        ("@comment{x}" + ENTRY, "line 1, column 1: expected an entry"),
        ("@article{, title = {x}}", "line 1, column 10: expected an entry's key"),
        ("@article(k, title = {x})", "expected an entry"),
        ("@article{k, title = {x}", "a brace is not closed"),
        ("@article{k, title = {x}\n year = 2}", "line 2, column 2: expected a comma or a closing brace"),
        ("@article{k, title = {x {y}, year = 1", "a brace is not closed"),
        ('@article{k, title = "x}"}', "this value is not closed"),
        (r"@article{k, title = {x \} y}}", "expected a comma or a closing brace"),
        ("@article{k, title = }", "line 1, column 21: expected a value"),
        ("@article{k, = {x}}", "expected a comma or a closing brace"),
        ("@article{k, title = {x}, Title = {y}}", "is a duplicate"),
        ("@article{k, title = {x} # {y}}", "title is put together of 2 values"),
        ("@article{k, a:b = {x}}", "a:b cannot be a field's name"),
    ],
)
def test_what_is_not_one_entry_says_where(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        one_entry(text)


HARMLESS = r"""@inproceedings{asai-etal-2021-xor,
    title = "{XOR} {QA}: Cross-lingual Open-Retrieval Question Answering \& more,
             {\'e} na{\"\i}ve {\L}{\'o}d{\'z} $k$-{NN} $\alpha_1^2$",
    author = {M{\"u}ller, A. and \v{C}apek, K. and {\O}stby},
    journal = {Information Processing {\&} Management},
    url = "https://aclanthology.org/2021.naacl-main.46_a%20b#c&d",
    doi = "10.18653/v1/2021.naacl-main.46",
    note = {see \url{https://a.b/c_d%20e#f}, 50\% \emph{of} it},
    pages = "547--564",
    year = 2021, month = jun
}"""


def test_what_bibliographies_hold_is_taken_as_it_is() -> None:
    assert harmless_entry(HARMLESS).text == HARMLESS
    assert all(harmless_entry(entry.text) == entry for entry in references().values())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (r"\input{/etc/passwd}", r"\input is not allowed"),
        (r"{\immediate\write18{id}}", r"\immediate is not allowed"),
        (r"\csname input\endcsname", r"\csname is not allowed"),
        (r"\@@input x", r"\@@input is not allowed"),
        ("^^5cinput{x}", "^^"),
        (r"\def\emph{\input}", r"\def is not allowed"),
        ("\x1b[2J", r"control character \x1b"),
        ("a\u202eb", r"control character \u202e"),
        ("{%}", r"% means something to LaTeX; write \%"),
        ("R&D", r"& means something to LaTeX; write \&"),
        ("#1", r"# means"), ("a_b", r"_ means"), ("a^2", r"write \textasciicircum{}"), ("$5", "dollar sign alone"),
        ("a\\", r"\ is not allowed"),
        (r"\url{a}\input{b}", r"\input"), (r"\url{\input{b}}", r"\input"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["title", "howpublished"])
def test_what_a_bibliography_would_obey_is_refused(value: str, told: str, field: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        harmless_entry(f"@misc{{k, {field} = {{{value}}}}}")


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40), st.sampled_from(["title", "url", "abstract"]))
def test_no_entry_that_is_taken_holds_a_command_that_is_not_listed(value: str, field: str) -> None:
    try:
        entry = harmless_entry(f"@misc{{k, {field} = {{{value}}}}}")
    except ValueError:
        return
    assert not re.search(r"\\(input|include|write|openin|read|csname|def|let|catcode|immediate)", entry.text)
    assert entry.text.count("{") == entry.text.count("}")
    assert all(c in "\n\t" or c.isprintable() or not c.isascii() for c in entry.text)


_VALUE = st.recursive(
    st.text(st.characters(exclude_characters="{}", exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: "".join("{" + part + "}" for part in parts)),
    max_leaves=6,
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True), _VALUE, max_size=4))
def test_whatever_stands_in_balanced_braces_comes_back(fields: dict[str, str]) -> None:
    text = "@misc{k," + ",\n".join(f"{name} = {{{value}}}" for name, value in fields.items()) + "}"
    assert one_entry(text).fields == {name: " ".join(value.split()) for name, value in fields.items()}


@given(st.text(st.sampled_from('@{}",=abk# \n'), max_size=30))
def test_no_text_is_read_as_more_or_less_than_it_is(text: str) -> None:
    try:
        entries = entries_of(text)
    except ValueError:
        return
    assert "".join("".join(entry.text for entry in entries).split()) == "".join(text.split())


def test_a_card_holds_one_entry_or_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    card = 'schema_version = 1\nname = "mine"\ntitle = "Mine"\nadapter = "dummy"\n'
    path.write_text(card + f"bibtex = '''\n{ENTRY}\n'''\n")
    assert load_card(str(path)).card.bibtex == ENTRY
    path.write_text(card + 'bibtex = "@article{k"\n')
    with pytest.raises(InvalidInput, match=r"bibtex: .*line 1, column 11: the text ends before"):
        load_card(str(path))


def test_the_projects_own_references_are_in_order() -> None:
    found = references()
    assert len(found) >= 8
    for entry in found.values():
        assert {"author", "title", "year"} <= entry.fields.keys(), entry.key
    assert found["zhuang2023xqg"].fields["eprint"] == "2305.03950"
