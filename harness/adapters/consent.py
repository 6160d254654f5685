"""What the operator of a command lets cards, tracks and models bring along: code runs only if they say so there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import WrongUsage

_PIN = re.compile(r"(?P<model>[^@]+)@(?P<revision>[0-9a-f]{40}|[0-9a-f]{64})")


@dataclass(frozen=True)
class PinnedModel:
    """A model as its card names it, and which one: the commit of a hub model, or the SHA-256 of a folder's tree."""

    model: str
    revision: str

    def __str__(self) -> str:
        return f"{self.model}@{self.revision}"


@dataclass(frozen=True)
class Consent:
    """``code``: Python adapters and executables of cards, and measures of tracks, may run. ``models``: those whose own
    Python code may run.

    Nothing in a card, a model or a run can give it.
    """

    code: bool = False
    models: frozenset[PinnedModel] = frozenset()

    def require_code(self, who: str, code: str) -> None:
        """Raises ``WrongUsage`` unless the operator consented to run ``code`` of ``who``, a card or a track."""
        if not self.code:
            raise WrongUsage(
                f"{who} brings code of its own: {code}. Read it, and if you trust it, add --allow-code "
                "to this command; docs/security.md says what that code could do"
            )

    def require_model_code(self, model: PinnedModel, code: str) -> None:
        """Raises ``WrongUsage`` unless the operator trusts the code of this model at this revision."""
        if model not in self.models:
            raise WrongUsage(
                f"model {model.model} needs code of its own ({code}), which is not run unasked. Read it, and if you trust "
                f"it, add --trust-remote-code {model}"
            )


NOTHING = Consent()


def consent_of(allow_code: bool, trusted: Iterable[str]) -> Consent:
    """The consent that options of a command give. Raises ``WrongUsage`` for a model without its exact revision."""
    models = set()
    for text in trusted:
        found = _PIN.fullmatch(text)
        if found is None:
            raise WrongUsage(
                f"--trust-remote-code {text}: expected MODEL@REVISION, the model as its card names it and the full commit "
                "(40 hexadecimal digits) or, for a folder, its SHA-256 (64); a branch can change after you read it"
            )
        models.add(PinnedModel(found["model"], found["revision"]))
    return Consent(allow_code, frozenset(models))
