"""Ids of datasets that have others or paths in them: ``folder(fi):PATH``, ``perturbed(PATH,seed=1):squad:PATH``."""

from __future__ import annotations

import re
from collections.abc import Callable

_PERTURBED = re.compile(r"^perturbed\((?P<arguments>[^()]*)\):")
_FILES = re.compile(r"(?P<head>(?:folder|squad)[^:]*:)(?P<path>.+)", re.DOTALL)
_RECIPE = re.compile(r"\s*(?P<path>[^,]*\.toml)\s*(?P<rest>(?:,.*)?)", re.DOTALL)


def clean_id(dataset_id: str) -> str:
    """The collection whose texts were changed, and so on; the id itself where none were.

    >>> clean_id("perturbed(typo-swap,seed=1):perturbed(no-title,seed=1):xquad/ar"), clean_id("xquad/ar")
    ('xquad/ar', 'xquad/ar')
    """
    while found := _PERTURBED.match(dataset_id):
        dataset_id = dataset_id[found.end() :]
    return dataset_id


def map_paths(dataset_id: str, change: Callable[[str], str]) -> str:
    """The id with every path in it changed; an id without paths as it is.

    >>> map_paths("perturbed(my.toml,seed=1):folder(fi):data", lambda path: f"/home/{path}")
    'perturbed(/home/my.toml,seed=1):folder(fi):/home/data'
    >>> map_paths("perturbed(typo-swap,seed=1):xquad/ar", lambda path: f"/home/{path}")
    'perturbed(typo-swap,seed=1):xquad/ar'
    """
    done, rest = "", dataset_id
    while found := _PERTURBED.match(rest):
        arguments = found["arguments"]
        if recipe := _RECIPE.fullmatch(arguments):
            arguments = f"{change(recipe['path'])}{recipe['rest']}"
        done, rest = f"{done}perturbed({arguments}):", rest[found.end() :]
    if files := _FILES.fullmatch(rest):
        rest = f"{files['head']}{change(files['path'])}"
    return done + rest


def paths_in(dataset_id: str) -> list[str]:
    """
    >>> paths_in("perturbed(my.toml,seed=1):squad:ar.json"), paths_in("xquad/ar")
    (['my.toml', 'ar.json'], [])
    """
    found: list[str] = []

    def note(path: str) -> str:
        found.append(path)
        return path

    map_paths(dataset_id, note)
    return found


def recipes_between(dataset_id: str, clean: str) -> list[str]:
    """The perturbations that make the one dataset of the other, the last one first; none where it is not made so.

    >>> recipes_between("perturbed(my.toml,seed=1):perturbed(no-title,seed=3):xquad/ar", "xquad/ar")
    ['my', 'no-title']
    >>> recipes_between("perturbed(typo-swap,seed=1):xquad/ar", "xquad/de")
    []
    """
    found: list[str] = []
    while dataset_id != clean:
        head = _PERTURBED.match(dataset_id)
        if head is None:
            return []
        found.append(head["arguments"].partition(",")[0].strip().removesuffix(".toml"))
        dataset_id = dataset_id[head.end() :]
    return found
