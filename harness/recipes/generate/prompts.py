"""Prompt templates: plain text with {language}, {title} and {passage}, and nothing that a format string could do beyond."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from harness.languages import language

FIELDS = ("language", "title", "passage")


class Prompt:
    """A template, taken apart once. Doubled braces are single ones of the text.

    Raises ``ValueError`` for other fields, conversions and formats, and where {language} or {passage} does not stand.

    >>> Prompt("Generate a {language} question: {title} {passage}").filled("Finnish", "Volga", "A {long} river.")
    'Generate a Finnish question: Volga A {long} river.'
    """

    def __init__(self, template: str) -> None:
        self._parts: list[tuple[str, str]] = []
        for text, field, specification, conversion in string.Formatter().parse(template):
            if field is not None and (field not in FIELDS or specification or conversion):
                raise ValueError(
                    f"{{{field}}} in the prompt; expected {', '.join(f'{{{name}}}' for name in FIELDS)} alone"
                )
            self._parts.append((text, field or ""))
        used = {field for _, field in self._parts}
        if missing := [name for name in ("language", "passage") if name not in used]:
            raise ValueError(f"the prompt has no {{{missing[0]}}}")

    def filled(self, language_name: str, title: str, passage: str) -> str:
        values = {"": "", "language": language_name, "title": title, "passage": passage}
        return "".join(text + values[field] for text, field in self._parts)


def names_of(languages: Sequence[str], own_names: Mapping[str, str]) -> dict[str, str]:
    """English names by code. Raises ``ValueError`` for codes that have none here and none of the recipe's own."""
    names = {code: own_names.get(code) or language(code).name for code in languages}
    if unknown := [code for code, name in names.items() if name == code]:
        raise ValueError(
            f"no English name is known of the language {', '.join(map(repr, unknown))}; "
            "add it to `language_names`, or fix the code"
        )
    return names
