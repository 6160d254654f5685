"""Names of languages by ISO 639-1 code: in English, in the language itself, and the direction of its script."""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    code: str
    name: str
    own_name: str
    direction: str = "ltr"


_LANGUAGES = (
    Language("ar", "Arabic", "العربية", "rtl"),
    Language("bn", "Bengali", "বাংলা"),
    Language("de", "German", "Deutsch"),
    Language("el", "Greek", "Ελληνικά"),
    Language("en", "English", "English"),
    Language("es", "Spanish", "español"),
    Language("fa", "Persian", "فارسی", "rtl"),
    Language("fi", "Finnish", "suomi"),
    Language("fr", "French", "français"),
    Language("he", "Hebrew", "עברית", "rtl"),
    Language("hi", "Hindi", "हिन्दी"),
    Language("id", "Indonesian", "Bahasa Indonesia"),
    Language("it", "Italian", "italiano"),
    Language("ja", "Japanese", "日本語"),
    Language("ko", "Korean", "한국어"),
    Language("pt", "Portuguese", "português"),
    Language("ro", "Romanian", "română"),
    Language("ru", "Russian", "русский"),
    Language("sw", "Swahili", "Kiswahili"),
    Language("te", "Telugu", "తెలుగు"),
    Language("th", "Thai", "ไทย"),
    Language("tr", "Turkish", "Türkçe"),
    Language("ur", "Urdu", "اردو", "rtl"),
    Language("vi", "Vietnamese", "Tiếng Việt"),
    Language("yo", "Yoruba", "Yorùbá"),
    Language("zh", "Chinese", "中文"),
)
_BY_CODE = {language.code: language for language in _LANGUAGES}


def language(code: str) -> Language:
    """A language by its code; one that is not listed goes by its code."""
    return _BY_CODE.get(code, Language(code, code, code))
