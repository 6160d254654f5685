"""Schema versions of all files, and how a file of an older version becomes one of today's.

Readers hand what they have parsed to ``migrated`` before they check it. A change of a schema raises the number in ``CURRENT``,
adds one step here and a sample of the old form under ``tests/data/schemas``; no reader knows an older form.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import InvalidInput

CURRENT: Mapping[str, int] = {
    "card": 1,
    "comparison": 3,
    "leaderboard": 4,
    "manifest": 2,
    "perturbation": 1,
    "reading": 1,
    "reproduction": 1,
    "scores": 1,
    "study": 2,
    "track": 1,
    "training-recipe": 2,
}


def migrated(kind: str, content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The content of a file of the given kind in today's schema.

    What has no schema version, or none that is a number, is given back as it is: the reader's own check reports that
    with whatever else is wrong. Raises ``InvalidInput`` for a version newer than this program, and for one that never was.
    """
    found = dict(content)
    version = found.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        return found
    if version > CURRENT[kind]:
        raise InvalidInput(
            f"{where} was made by a newer xdr-bench: it has schema version {version}, and this one knows {kind} files "
            f"up to version {CURRENT[kind]}; upgrade xdr-bench"
        )
    if version < 1:
        raise InvalidInput(f"{where} has schema version {version}; {kind} files begin with version 1")
    for step in range(version, CURRENT[kind]):
        found = {**_STEPS[kind, step](found), "schema_version": step + 1}
    return found


def _rows_of_version_2(board: dict[str, Any]) -> dict[str, Any]:
    """Version 2 says of every row whether it was made again and withdrawn, and has standings on every column."""
    rows = board.get("rows")
    if not isinstance(rows, list):
        return board
    return {**board, "rows": [_row_of_version_2(row) if isinstance(row, dict) else row for row in rows]}


def _row_of_version_2(row: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in row.items() if key != "standing"}
    standings = {"macro": row["standing"]} if row.get("standing") else {}
    return {**rest, "standings": standings, "status": "submitted", "reproduced": None, "withdrawn": None}


def _board_of_version_3(board: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has the tests of all pairs, which older tables did not keep."""
    comparison = board.get("comparison")
    return (
        {**board, "comparison": {**comparison, "pairs": [], "warnings": []}} if isinstance(comparison, dict) else board
    )


def _comparison_of_version_3(content: dict[str, Any]) -> dict[str, Any]:
    """Version 3 says how many draws each p is of, and what error they leave, and has the tests of all pairs."""
    differences, resamples = content.get("differences"), content.get("resamples")
    if not isinstance(differences, list) or not isinstance(resamples, int):
        return content
    return {
        **content,
        "pairs": [],
        "warnings": [],
        "differences": [
            {**one, "resamples": resamples, "p_error": (p * (1 - p) / max(1, resamples)) ** 0.5}
            if isinstance(one, dict) and isinstance(p := one.get("p"), float) and 0 <= p <= 1
            else one
            for one in differences
        ],
    }


def _board_of_version_4(board: dict[str, Any]) -> dict[str, Any]:
    """Version 4 says of a run's execution what manifests of version 2 say."""
    rows = board.get("rows")
    if not isinstance(rows, list):
        return board
    return {**board, "rows": [_row_of_version_4(row) if isinstance(row, dict) else row for row in rows]}


def _row_of_version_4(row: dict[str, Any]) -> dict[str, Any]:
    provenance = row.get("provenance")
    execution = provenance.get("execution") if isinstance(provenance, dict) else None
    if not isinstance(provenance, dict) or not isinstance(execution, dict):
        return row
    return {**row, "provenance": {**provenance, "execution": _execution_of_version_2(execution)}}


def _manifest_of_version_2(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has no digest of a run's identity, but the fields themselves: versions, and a foreign adapter's files.

    Adapters had no versions before, which is recorded as null: a version that nobody noted is not compared.
    """
    made = manifest.get("implementation")
    sources = made.get("source") if isinstance(made, dict) else None
    rest = {key: value for key, value in manifest.items() if key != "reuse"}
    if isinstance(execution := rest.get("execution"), dict):
        rest["execution"] = _execution_of_version_2(execution)
    if not isinstance(made, dict) or not isinstance(sources, dict):
        return rest
    files = {name: digest for name, digest in sources.items() if str(name).split("/", 1)[0] not in _OURS}
    return {**rest, "implementation": {"versions": None, "files": files, **made}}


def _execution_of_version_2(execution: dict[str, Any]) -> dict[str, Any]:
    """Version 2 keeps what adapters noted of their own apart from what every run says."""
    known = {key: value for key, value in execution.items() if key in _EXECUTION}
    facts = {key: value for key, value in execution.items() if key not in _EXECUTION}
    stages = known.get("stages")
    if isinstance(stages, list):
        known["stages"] = [_stage_of_version_2(stage) if isinstance(stage, dict) else stage for stage in stages]
    return {**known, "facts": facts} if facts else known


def _stage_of_version_2(stage: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in stage.items() if key not in _STAGE}
    known = {key: value for key, value in stage.items() if key in _STAGE}
    return {**known, "facts": facts} if facts else known


def _training_recipe_of_version_2(recipe: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has kinds of models and objectives; in version 1 all were static, and learned pairs in both directions."""
    model, stages = recipe.get("model"), recipe.get("stages")
    return {
        **recipe,
        **({"model": {"kind": "static", **model}} if isinstance(model, dict) else {}),
        **({"stages": [_training_stage_of_version_2(stage) for stage in stages]} if isinstance(stages, list) else {}),
    }


def _training_stage_of_version_2(stage: Any) -> Any:
    if not isinstance(stage, dict):
        return stage
    # A misspelt key goes where it is reported beside the one that it resembles.
    of_optimizer = {
        key for key in stage if key not in _STAGE_KEYS and difflib.get_close_matches(key, ("learning_rate", "warmup"))
    }
    rates = {key: value for key, value in stage.items() if key in of_optimizer}
    rest = {key: value for key, value in stage.items() if key not in of_optimizer}
    optimizer = {"warmup": 0.05, "weight_decay": 0.0, "max_grad_norm": 0.0, **rates}
    return {"objective": "contrastive", "directions": "both", "batch_size": 1024, **rest, "optimizer": optimizer}


_STAGE_KEYS = frozenset({"name", "epochs", "batch_size", "scale", "token_dropout", "sources"})

_EXECUTION = frozenset({
    "device", "engine", "isolation", "peak memory bytes", "provenance", "remote code", "seed", "segmentation", "stages",
    "workers",
})  # fmt: skip
_STAGE = frozenset({"name", "seconds", "bytes"})


_OURS = ("harness", "systems")
"""Where this project's own sources lay when manifests of version 1 were written."""


def _unchanged(content: dict[str, Any]) -> dict[str, Any]:
    return content


_STEPS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    (
        "comparison",
        1,
    ): _unchanged,  # version 2 has standings on every column; those of version 1 are of the macro average
    ("comparison", 2): _comparison_of_version_3,
    ("leaderboard", 1): _rows_of_version_2,
    ("leaderboard", 2): _board_of_version_3,
    ("leaderboard", 3): _board_of_version_4,
    ("manifest", 1): _manifest_of_version_2,
    ("study", 1): _unchanged,  # version 2 may have answers, readings, expansions and drops
    ("training-recipe", 1): _training_recipe_of_version_2,
}
