"""How texts are encoded: as questions or as passages, with which prompt, up to which length.

A card says so, and where it does not, the model's own files do. What they declare is read here and applied or overridden,
never dropped: it is the model as its authors evaluated it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.dense.model_files import model_name, read_model_json
from harness.errors import InvalidInput

Task = Literal["query", "document"]
Similarity = Literal["dot", "cosine", "maxsim", "meanmaxsim"]
_PROMPT_NAMES: Mapping[Task, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Prompts for each task, the first that is declared: as ``SentenceTransformer.encode_query`` and ``encode_document``."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_WORDS: Mapping[Task, str] = {"query": "questions", "document": "passages"}


@dataclass(frozen=True)
class Role:
    """What texts are to the model. ``prompt``: the name of one of its prompts, or a text, "" for none.

    Where ``prompt`` or ``max_length`` (in tokens, special ones and the prompt included) is None, it is the model's own.
    """

    task: Task
    prompt: str | None = None
    max_length: int | None = None


QUESTIONS, PASSAGES = Role("query"), Role("document")


class Use(NamedTuple):
    """How texts were encoded: the text of the prompt, the length they were cut at (None: at none), similarity and kernel.

    ``note``: what their author should know of it, or nothing.
    """

    prompt: str
    max_length: int | None
    similarity: Similarity
    kernel: str
    note: str


@dataclass(frozen=True)
class Declared:
    """What config_sentence_transformers.json says of a model's use."""

    prompts: Mapping[str, str]
    default_prompt: str | None
    similarity: str | None
    truncate_dim: int | None


def declared_by(folder: Path) -> Declared:
    """Raises ``InvalidInput`` where the file is not what sentence-transformers writes."""
    path = folder / "config_sentence_transformers.json"
    config = read_model_json(path) if path.is_file() else {}
    if not isinstance(config, Mapping):
        raise InvalidInput(f"{model_name(folder)}/{path.name} is not a table")
    prompts = config.get("prompts") or {}
    default, similarity = config.get("default_prompt_name"), config.get("similarity_fn_name")
    dimensions = config.get("truncate_dim")
    faults = []
    if not (isinstance(prompts, Mapping) and all(isinstance(text, str | None) for text in prompts.values())):
        faults.append("`prompts` is not a table of texts")
        prompts = {}
    if not isinstance(default, str | None) or (default is not None and default not in prompts):
        faults.append(f"`default_prompt_name` is {default!r:.80}, which is none of its prompts")
    if not isinstance(similarity, str | None):
        faults.append("`similarity_fn_name` is not a text")
    if dimensions is not None and not (type(dimensions) is int and dimensions > 0):
        faults.append(f"`truncate_dim` is {dimensions!r:.80}, not a number of dimensions")
    if faults:
        raise InvalidInput(f"{model_name(folder)}/{path.name}: {'; '.join(faults)}")
    return Declared({name: text or "" for name, text in prompts.items()}, default, similarity, dimensions)


def prompt_of(role: Role, declared: Declared) -> str:
    """The text that stands before every text of that role. Raises ``InvalidInput`` for a name that the model does not have."""
    if role.prompt is not None:
        if role.prompt in declared.prompts:
            return declared.prompts[role.prompt]
        if _NAME.fullmatch(role.prompt):
            known = ", ".join(map(repr, declared.prompts)) or "none"
            raise InvalidInput(
                f"the model has no prompt named {role.prompt!r} for {_WORDS[role.task]} (its prompts: {known}); a prompt "
                'that is meant as a text ends as it is to be joined to what follows, as "query: " does'
            )
        return role.prompt
    names = (*_PROMPT_NAMES[role.task], *([declared.default_prompt] if declared.default_prompt is not None else []))
    return next((declared.prompts[name] for name in names if name in declared.prompts), "")


def overlooked_prompt(role: Role, declared: Declared) -> str:
    """A note where the model declares a prompt for this task that another, empty one of its own stands before."""
    if role.prompt is not None or prompt_of(role, declared):
        return ""
    names = (*_PROMPT_NAMES[role.task], declared.default_prompt)
    for name in names:
        if name is not None and declared.prompts.get(name):
            key = "query_prompt" if role.task == "query" else "passage_prompt"
            return (
                f"the model's prompt {name!r} is not used for {_WORDS[role.task]}, since it declares an empty one for them "
                f'as well; say {key} = "{name}" or {key} = "" in the card'
            )
    return ""


def similarity_of(wanted: Similarity | None, declared: Declared, folder: Path, *, is_plain: bool) -> Similarity:
    """By card, else by the model's file, else cosine for sentence-transformers' models, as there, and dot for plain ones.

    Raises ``InvalidInput`` for a similarity that is not computed here.
    """
    if wanted is not None:
        return wanted
    match declared.similarity:
        case "dot" | "cosine" as known:
            return known
        case None:
            return "dot" if is_plain else "cosine"
    raise InvalidInput(
        f"the model {model_name(folder)} declares the similarity {declared.similarity!r:.80}, which is not computed here; "
        'say similarity = "cosine" or "dot" in the card if its vectors can be ranked so'
    )


def length_of(role: Role, declared: int | None, positions: int | None, folder: Path) -> int | None:
    """Tokens that a text is cut at, None for never. Raises ``InvalidInput`` for more than the model has positions."""
    if role.max_length is None:
        return min((length for length in (declared, positions) if length is not None), default=None)
    check_length(role.max_length, role, positions, folder)
    return role.max_length


def check_length(length: int, role: Role, positions: int | None, folder: Path) -> None:
    """Raises ``InvalidInput`` for more tokens than the model has positions."""
    if positions is not None and length > positions:
        raise InvalidInput(
            f"a maximum length of {length} tokens for {_WORDS[role.task]} is more than the {positions} positions "
            f"of the model {model_name(folder)}; lower it in the card, or leave it out for the model's own"
        )


def embeddings_of_positions(model: Any) -> Iterator[int]:
    """How many tokens each table of learned positions in a transformer has room for."""
    import torch

    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if not isinstance(module, torch.nn.Embedding) or last not in (
            *(
                "position_embeddings",
                "embed_positions",
                "wpe",
                "position_embedding",
                "pos_embed",
                "embeddings_position",
            ),
        ):
            continue
        # RoBERTa and its kin count from behind the padding's place, BART and OPT keep an offset of their own.
        padding = -1 if module.padding_idx is None else module.padding_idx
        yield module.num_embeddings - max(padding + 1, int(getattr(module, "offset", 0)))
