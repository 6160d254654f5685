"""Where a model's files come from: a folder, a repository of the Hugging Face hub at one commit, a pinned file, or a recipe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from harness.adapters.contract import Pin
from harness.dense.pinned_models import SCHEME, conversion_of, converted_folder, digest_of_pin
from harness.dense.trained_models import SCHEME as OF_A_RECIPE
from harness.dense.trained_models import recipe_of, trained_folder, trained_input
from harness.errors import InvalidInput
from harness.files.cache import REVISIONS
from harness.files.writing import cache_home, write_text

# A model's code is part of its digest, whether or not it may run.
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = [
    *("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.spm", "*.py", "*.jinja"),
    "artifact.metadata",  # lengths and markers of ColBERT's own checkpoints, as JSON
]


def local_folder(model: str, folder: Path) -> Path | None:
    """A model's folder, where a relative path starts from ``folder``; None where there is none."""
    if model.startswith((SCHEME, OF_A_RECIPE)):
        return None
    local = Path(model) if Path(model).is_absolute() else folder / model
    # Path.is_dir would raise for a name of 5,000 characters.
    return local if os.path.isdir(local) else None  # noqa: PTH112


def model_folder(model: str, revision: str | None, folder: Path) -> Path:
    """Where a model's files lie: a pinned model, converted; what a recipe has made here; a folder (relative to the card's); a
    hub repository at one commit.

    Raises ``InvalidInput`` when it is no folder and has no full commit as its revision, or when it is not here and the hub or
    the package index cannot be reached, or when its recipe was not trained here.
    """
    if (recipe := recipe_of(model, folder)) is not None:
        return trained_folder(recipe)
    if conversion := conversion_of(model):
        return converted_folder(model, conversion)
    if (local := local_folder(model, folder)) is not None:
        return local
    if model.startswith((".", "/")):
        raise InvalidInput(f"no model folder {str(folder / model)!r:.300}{_how_it_is_made(folder / model)}")
    if not _COMMIT.fullmatch(revision or ""):
        raise InvalidInput(
            f"model {model!r:.200} is no folder beside the card or recipe, and as a model of the Hugging Face hub it needs its "
            "`revision`: "
            f"a full commit of 40 hexadecimal digits (its page shows them under Files, History), not {revision!r}, "
            "so that it is the same weights tomorrow"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        from_cache = not _answers(model, str(revision))
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FILES, local_files_only=from_cache))
    except Exception as error:
        if not isinstance(error, (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError)) and not _of_network(
            error
        ):
            raise
        hint = "check the name and the network, or copy the model to a folder and name that instead"
        if isinstance(error, GatedRepoError):
            hint = "accept its terms on its page there, and log in with `hf auth login` or set HF_TOKEN"
        raise InvalidInput(
            f"model {model!r:.200} is neither a folder nor to be had from the Hugging Face hub ({type(error).__name__}); {hint}"
        ) from error


def _how_it_is_made(model: Path) -> str:
    """Models that are trained by a recipe, and not kept, have it in the folder ``recipes`` beside that of the models."""
    recipe = Path(os.path.normpath(model.parent.parent / "recipes" / f"{model.name}.toml"))
    if not os.path.isfile(recipe):  # noqa: PTH113
        return ""
    return (
        f"; it is trained by the recipe {str(recipe)!r:.300}: `xdr train RECIPE --output FOLDER`, "
        "which says with --dry-run how long that takes here"
    )


def _answers(model: str, revision: str) -> bool:
    """Whether the hub can be asked for a model's files. It is asked once: its client, when it is to list files, asks six times,
    half a minute long, before it looks into the cache.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        HfApi().model_info(model, revision=revision)
    except HfHubHTTPError:
        return True  # what it has against the request, it says again
    except Exception as error:
        if not isinstance(error, OfflineModeIsEnabled) and not _of_network(error):
            raise
        return False
    return True


def _of_network(error: Exception) -> bool:
    """Whether the hub was not reached: which library for HTTP its client uses, and so raises, hangs on the version."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0].rstrip("2") in (
        "httpx",
        "httpcore",
        "requests",
    )


def resolved_revision(model: str, folder: Path) -> str | None:
    """The commit at which a hub model without a `revision` is used here; None for what is no model of the hub.

    It is that of the repository's main branch when it is first asked for, and remembered on this machine. Raises
    ``InvalidInput`` when the hub, which alone knows it, cannot be reached.
    """
    if not _is_of_hub(model, folder):
        return None
    if known := _revisions().get(model):
        return known
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        revision = HfApi().model_info(model).sha
    except Exception as error:
        if not isinstance(error, (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled)) and not _of_network(error):
            raise
        raise InvalidInput(
            f"model {model!r:.200} is no folder beside the card or recipe, and as a model of the Hugging Face hub it has no "
            f"`revision`, a full commit, which the hub cannot be asked for ({type(error).__name__}): check the name and the "
            "network, or write down the commit that its page shows under Files, History"
        ) from error
    if not (revision and _COMMIT.fullmatch(revision)):
        raise InvalidInput(
            f"the hub names no commit of model {model!r:.200}; write its `revision` into the card or recipe"
        )
    write_text(_revisions_file(), json.dumps({**_revisions(), model: revision}, indent=1, sort_keys=True) + "\n")
    return revision


def _is_of_hub(model: str, folder: Path) -> bool:
    if conversion_of(model) is not None or model.startswith((OF_A_RECIPE, ".", "/")):
        return False
    return local_folder(model, folder) is None


def _revisions_file() -> Path:
    return cache_home() / REVISIONS


def _revisions() -> dict[str, str]:
    """Commits by model, as they were resolved on this machine."""
    try:
        found = json.loads(_revisions_file().read_bytes())
    except (OSError, ValueError):
        return {}
    commits = found.items() if isinstance(found, dict) else ()
    return {model: commit for model, commit in commits if isinstance(commit, str) and _COMMIT.fullmatch(commit)}


def model_input(model: str, revision: str | None, folder: Path) -> Path | Pin:
    """What identifies the model, whether or not it is here: its folder, or the commit or hash that it is pinned to; of a model
    of a recipe, the digest of what was trained here.

    The commit of a hub model whose card names none is known once it was resolved on this machine.
    """
    if (recipe := recipe_of(model, folder)) is not None:
        return trained_input(recipe)
    if conversion := conversion_of(model):
        return Pin(digest_of_pin(conversion), files=(conversion.file,))
    if (local := local_folder(model, folder)) is not None:
        return local
    if not _is_of_hub(model, folder):
        return folder / model
    return Pin(revision or _revisions().get(model, ""), repository=model)
