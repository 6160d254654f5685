"""Terms of texts in many scripts, by the segmentation libraries and by character bigrams without them."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from harness import segmenters
from systems import segmentation
from systems.segmentation import Segmenter, bigrams

NEEDED = {"ja": "fugashi", "ko": "kiwipiepy", "th": "pythainlp", "zh": "jieba"}


@pytest.fixture
def _no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "_library_segmenter", lambda lang: None)


def terms(text: str, lang: str, stemmer: str | None = None) -> list[str]:
    return Segmenter(stemmer).terms(text, lang)


def forget_libraries() -> None:
    segmentation._library_segmenter.cache_clear()
    segmenters.terms_of.cache_clear()


def needs(lang: str) -> None:
    pytest.importorskip(NEEDED[lang], reason=f"needs {NEEDED[lang]}, of the extra `segment`: pip install -e .[segment]")


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("ja", "富士山はどこにありますか", {"富士", "どこ", "は"}),
        ("ko", "에베레스트산의 높이는", {"높이"}),
        ("th", "แม่น้ำโขงยาวเท่าไร", {"แม่น้ำ", "ยาว"}),
        ("zh", "长江有多长", {"长江"}),
    ],
)
def test_libraries_find_words_where_there_are_no_blanks(lang: str, text: str, expected: set[str]) -> None:
    needs(lang)
    found = terms(text, lang)
    assert expected <= set(found)
    assert any(term not in bigrams(text) for term in found)


def test_korean_particles_are_no_terms() -> None:
    needs("ko")
    found = terms("서울의 높이는", "ko")
    assert not {"의", "는"} & set(found)
    assert {"서울", "높이"} <= set(found)


def test_thai_is_segmented_as_it_was_written() -> None:
    """NFKC takes the letter SARA AM apart, and the dictionary holds it whole."""
    needs("th")
    from pythainlp.tokenize import word_tokenize

    text = "น้ำตกและถ้ำทำด้วยคำ"
    assert terms(text, "th") == word_tokenize(text, engine="newmm")
    assert "น้ำตก" in terms(text, "th")


@pytest.mark.parametrize(("lang", "text"), [("ja", "富士山"), ("ko", "서울역"), ("th", "ถนน"), ("zh", "长江水")])
@pytest.mark.usefixtures("_no_libraries")
def test_bigrams_stand_in_for_a_missing_library(lang: str, text: str) -> None:
    segmenter = Segmenter(None)
    assert segmenter.terms(text, lang) == [text[:2], text[1:]]
    assert segmenter.description() == {lang: "character bigrams", "stemmer": "none"}


@pytest.mark.parametrize("lang", ["en", "fi", ""])
def test_other_languages_have_bigrams_for_scripts_without_blanks(lang: str) -> None:
    segmenter = Segmenter(None)
    assert segmenter.terms("Tokyo 東京都", lang) == ["tokyo", "東京", "京都"]
    assert segmenter.description() == {lang or "other": "character bigrams", "stemmer": "none"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("東京都", ["東京", "京都"]), ("東京", ["東京"]), ("東", ["東"])],
)
def test_bigrams_overlap_and_a_single_character_stays(text: str, expected: list[str]) -> None:
    assert bigrams(text) == expected


@pytest.mark.usefixtures("_no_libraries")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NASAが", ["nasa", "が"]),
        ("ＮＡＳＡが1969年", ["nasa", "が", "1969", "年"]),
        ("1883లో", ["1883", "లో"]),
        ("東京Tower東京", ["東京", "tower", "東京"]),
        ("がNASA", ["が", "nasa"]),
        ("в1957году", ["в", "1957", "году"]),
        ("COVID-19は", ["covid", "19", "は"]),
    ],
)
def test_pieces_of_different_scripts_come_apart(text: str, expected: list[str]) -> None:
    assert terms(text, "ja") == expected


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("hi", "हिन्दी की नदी।", ["हिन्दी", "की", "नदी"]),
        ("bn", "ভলগা নদীর দৈর্ঘ্য কত?", ["ভলগা", "নদীর", "দৈর্ঘ্য", "কত"]),
        ("te", "వోల్గా నది పొడవు ఎంత?", ["వోల్గా", "నది", "పొడవు", "ఎంత"]),
        ("ar", "ما هو طُول النَّهر؟", ["ما", "هو", "طُول", "النَّهر"]),
        ("ru", "Какой ёж?", ["какой", "ёж"]),
        ("fi", "Mikä ÄÄKKÖNEN", ["mikä", "ääkkönen"]),
    ],
)
def test_vowel_signs_and_accents_stay_in_their_words(lang: str, text: str, expected: list[str]) -> None:
    segmenter = Segmenter(None)
    assert segmenter.terms(text, lang) == expected
    assert segmenter.description() == {"stemmer": "none"}


@pytest.mark.parametrize("digits", ["1883", "١٨٨٣", "১৮৮৩", "१८८३", "１８８３", "౧౮౮౩"])
def test_a_number_is_one_term_in_the_digits_of_any_script(digits: str) -> None:
    assert terms(f"x {digits}?", "xx") == ["x", "1883"]


@pytest.mark.parametrize("text", ["", "?!", " \n", "。、"])
def test_a_text_without_letters_has_no_terms(text: str) -> None:
    assert terms(text, "ja") == []


@pytest.mark.parametrize("lang", sorted(NEEDED))
def test_the_description_names_the_library_and_its_version(lang: str) -> None:
    needs(lang)
    segmenter = Segmenter("en")
    assert segmenter.description() == {"stemmer": "en"}
    segmenter.terms({"ja": "富士山", "ko": "서울", "th": "น้ำ", "zh": "长江"}[lang], lang)
    described = segmenter.description()
    assert described.keys() == {lang, "stemmer"}
    assert f"{NEEDED[lang]} {metadata.version(NEEDED[lang])}" in described[lang]


@pytest.mark.parametrize("lang", sorted(NEEDED))
def test_a_library_that_is_not_installed_is_replaced_by_bigrams(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_libraries()
    monkeypatch.setitem(sys.modules, NEEDED[lang], None)
    monkeypatch.setitem(sys.modules, f"{NEEDED[lang]}.tokenize", None)
    try:
        segmenter = Segmenter(None)
        assert segmenter.terms("東京都", lang) == ["東京", "京都"]
        assert segmenter.description()[lang] == "character bigrams"
    finally:
        forget_libraries()


def test_terms_are_stemmed_in_the_language_of_the_passages() -> None:
    assert terms("Rivers flowing", "en", "en") == ["river", "flow"]
    assert terms("Rivers flowing", "en", None) == ["rivers", "flowing"]
    assert Segmenter("en").description() == {"stemmer": "en"}


def test_a_language_without_a_stemmer_is_not_stemmed() -> None:
    segmenter = Segmenter("ja")
    assert segmenter.terms("rivers", "ja") == ["rivers"]
    assert segmenter.description() == {"stemmer": "none"}
