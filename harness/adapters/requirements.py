"""What a card says must be installed beside this package, as PEP 508 requirements: looked for, named, never installed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

from harness.errors import Finding, InvalidInput


def parsed(text: str) -> Requirement:
    """Raises ``ValueError`` for what is no requirement."""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r:.80} is no PEP 508 requirement, such as 'rank-bm25>=0.2': {error}") from None


def pip_line(requirements: Sequence[str]) -> str:
    """The command that installs them, for whoever trusts them."""
    return shlex.join(["pip", "install", *requirements])


def installed_versions(requirements: Sequence[str]) -> dict[str, str]:
    """The version that is installed, by the requirement's name; those that are not for this machine are left out."""
    versions = {requirement.name: _version(requirement.name) for requirement in _for_this_machine(requirements)}
    return {name: version for name, version in versions.items() if version is not None}


def check_installed(requirements: Sequence[str], what: str) -> None:
    """Raise ``InvalidInput`` that names all that is missing or has another version, with the line that installs it."""
    findings, missing = [], []
    for requirement in _for_this_machine(requirements):
        version = _version(requirement.name)
        if version is None:
            found = "not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            found = f"version {version} is installed"
        else:
            continue
        findings.append(Finding("error", requirement.name, found, str(requirement)))
        missing.append(str(requirement))
    if findings:
        raise InvalidInput(f"{what} requires packages that are not here; {pip_line(missing)}", findings)


def _for_this_machine(requirements: Sequence[str]) -> list[Requirement]:
    found = [parsed(text) for text in requirements]
    return [requirement for requirement in found if requirement.marker is None or requirement.marker.evaluate()]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
