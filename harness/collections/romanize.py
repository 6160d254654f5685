"""A normaliser that writes many scripts in Latin letters, so that names and loan words share subword pieces.

Everything is expressed with the ``tokenizers`` library's own normalisers and ends up inside tokenizer.json: whoever loads
the model needs no code of ours. The romanisation is rough on purpose. It need not be read by people; it must only send a
name in Cyrillic, Arabic or Telugu script close to where the English spelling goes. Unicode character names give most of
it (``TELUGU LETTER KA``, ``HIRAGANA LETTER SHI``, ``HANGUL SYLLABLE GANG``); alphabets whose letters have names instead
of sounds are listed below. Han characters stay as they are.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer


def _table(letters: str, sounds: str) -> dict[str, str]:
    """Sounds by letter; "-" is no sound."""
    return dict(zip(letters, (sound.replace("-", "") for sound in sounds.split()), strict=True))


_CYRILLIC = _table(
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўђјљњћџ",
    "a b v g d e e zh z i i k l m n o p r s t u f h ts ch sh sch - i - e yu ya i i e g u j j l n c j",
)
_GREEK = _table("αβγδεζηθικλμνξοπρσςτυφχψω", "a b g d e z i th i k l m n x o p r s s t i f h ps o")
_ARABIC = _table(
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإآؤئپچژگڤکیہھےںٹڈڑ",
    "a b t th j h kh d dh r z s sh s d t z a g f k k l m n h u i a a - a i a u i p ch zh g v k i h h e n t d r",
)
_THAI = _table(
    "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮฤฦะัาำิีึืุูเแโใไๅ",
    "k kh kh kh kh kh ng ch ch ch s ch y d t th th th n d t th th th n b p ph f ph f ph m y r l w s s s h l o h ru lu "
    "a a a am i i ue ue u u e ae o ai ai a",
)
_KANA = {"si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu", "zi": "ji", "di": "ji", "du": "zu"}
_LATIN = {
    "ー": "",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ł": "l",
    "ı": "i",
    "ħ": "h",
}
_LETTERS = _CYRILLIC | _GREEK | _ARABIC | _THAI | _LATIN

_INDIC = "DEVANAGARI|BENGALI|GURMUKHI|GUJARATI|TAMIL|TELUGU|KANNADA|MALAYALAM"
_INDIC_NAME = re.compile(rf"(?:{_INDIC}) (?:LETTER|VOWEL SIGN) (?:VOCALIC |CANDRA |SHORT )?([A-Z]+)$")
_INDIC_SOUNDS = {
    "c": "ch", "dd": "d", "ddh": "dh", "dddh": "d", "l": "l", "ll": "l", "lll": "zh", "nn": "n", "nnn": "n", "rr": "r",
    "rh": "r", "ss": "sh", "tt": "t", "tth": "th", "yy": "y",
}  # fmt: skip
_KANA_NAME = re.compile(r"(?:HIRAGANA|KATAKANA) LETTER (?:SMALL )?([A-Z]+)$")
_HANGUL_NAME = re.compile(r"HANGUL SYLLABLE ([A-Z]+)$")
_RANGES = ((0x0041, 0x024F), (0x0300, 0x06FF), (0x0900, 0x0D7F), (0x0E00, 0x0E7F), (0x1E00, 0x1FFF), (0x3040, 0x30FF))
_HANGUL = (0xAC00, 0xD7A3)

# Spellings of one sound that differ between languages, applied after romanisation and to English alike.
_SOUNDS = (
    ("ph", "f"), ("ck", "k"), ("c(?=[eiy])", "s"), ("q|c(?!h)", "k"), ("w", "v"), ("y", "i"), ("x", "ks"),
    ("(?<=[bdgkt])h", ""),
)  # fmt: skip
_DOUBLED = "bdfgklmnprstvz"


def romanized(character: str) -> str:
    """Latin letters for one character; the character itself where there are none.

    >>> [romanized(c) for c in "Жシ각తÉ龙"]
    ['zh', 'shi', 'gag', 't', 'e', '龙']
    """
    folded = character.casefold()
    base = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    if folded in _LETTERS:
        latin = _LETTERS[folded]
    elif character.isdecimal():
        latin = str(unicodedata.decimal(character))
    elif base in _LETTERS:
        latin = _LETTERS[base]
    elif base and base.isascii():
        latin = base
    else:
        latin = _by_name(character, unicodedata.name(character, ""))
    return latin


def _by_name(character: str, name: str) -> str:
    if match := _HANGUL_NAME.match(name):
        # Without the vowel that Korean puts between the consonants of foreign names.
        return re.sub("(?<=[a-z])eu", "", match[1].lower())
    if match := _KANA_NAME.match(name):
        return "" if "SMALL TU" in name else _KANA.get(match[1].lower(), match[1].lower())
    if match := _INDIC_NAME.match(name):
        return _indic(match[1].lower(), name)
    if "CANDRABINDU" in name or "ANUSVARA" in name:
        return "n"
    return "" if unicodedata.category(character) in ("Mn", "Mc") else character.casefold()


def _indic(sound: str, name: str) -> str:
    """Sound of a vowel, or of a consonant without its inherent vowel; long and short, dental and retroflex are one."""
    vowel = sound[0] in "aeiou"
    if not vowel and "SIGN" not in name:
        sound = sound.removesuffix("a")
    sound = sound.replace("aa", "a").replace("ii", "i").replace("uu", "u").replace("ee", "e").replace("oo", "o")
    return _INDIC_SOUNDS.get(sound, sound)


def romanized_text(text: str) -> str:
    """A text in Latin letters, with the vowels that Indic consonants carry unwritten, as the normaliser "romanized" has it.

    >>> romanized_text("Где река वोल्गा?")
    'gde reka volga?'
    """
    consonants, _ = _indic_classes()
    written = re.sub(f"(?<=[{consonants}])(?=[{consonants}])", "a", unicodedata.normalize("NFKC", text))
    return "".join(map(romanized, written))


def character_map() -> Iterator[tuple[str, str]]:
    """Every character that the normaliser changes, with what it becomes."""
    for first, last in (*_RANGES, _HANGUL):
        for code in range(first, last + 1):
            character = chr(code)
            if unicodedata.category(character) != "Cn" and (latin := romanized(character)) != character:
                yield character, latin


def normalizer(style: str) -> Normalizer:
    """The normaliser of a ``style``: "plain" (compatibility forms, case), "romanized", "sounds" or "consonants".

    "sounds" also unites spellings of one sound; "consonants" in addition drops vowels that do not begin a word, as
    Arabic script does.
    """
    from tokenizers import Regex, normalizers

    if style == "plain":
        return normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    steps = [normalizers.NFKC(), *_inherent_vowels(), normalizers.Precompiled(_character_map_bytes())]
    steps.append(normalizers.Replace(Regex(r"[\p{P}\p{S}]+"), " "))
    if style in ("sounds", "consonants"):
        steps += [normalizers.Replace(Regex(pattern), sound) for pattern, sound in _SOUNDS]
        steps += [normalizers.Replace(Regex(f"{letter}{{2,}}"), letter) for letter in _DOUBLED]
    if style == "consonants":
        steps.append(normalizers.Replace(Regex("(?<=[a-z])[aeiou]+"), ""))
    return normalizers.Sequence(steps)


def _inherent_vowels() -> list[Normalizer]:
    """Indic consonants that carry no vowel sign sound with an "a"; at the end of a word it is left out."""
    from tokenizers import Regex, normalizers

    consonants, signs = _indic_classes()
    return [normalizers.Replace(Regex(f"(?<=[{consonants}])(?=[{consonants}])"), "a")] if signs else []


@functools.cache
def _indic_classes() -> tuple[str, str]:
    consonants, signs = [], []
    for code in range(0x0900, 0x0D80):
        name = unicodedata.name(chr(code), "")
        if (match := _INDIC_NAME.match(name)) is None:
            continue
        if "SIGN" in name:
            signs.append(chr(code))
        elif match[1][0] not in "AEIOU":
            consonants.append(chr(code))
    return "".join(consonants), "".join(signs)


def _character_map_bytes() -> bytes:
    """The map as sentencepiece compiles it, which is the form that the ``tokenizers`` library reads."""
    from sentencepiece import SentencePieceNormalizer, set_min_log_level

    set_min_log_level(2)
    return _field(SentencePieceNormalizer(norm_map=list(character_map())).serialized_normalizer_spec(), 2)


def _field(message: bytes, wanted: int) -> bytes:
    """A length-delimited field of a serialised protocol buffer, here ``NormalizerSpec.precompiled_charsmap``."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        value, place = _varint(message, place)
        if tag & 7 == 2:
            if tag >> 3 == wanted:
                return message[place : place + value]
            place += value
    raise ValueError(f"no field {wanted}")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
