"""``xdr generate``: queries in other languages, or other texts, for the passages of a collection."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note, say
from harness.cli.operator_options import Operator, with_operator_options


# No code of a model or of a card runs here, whatever the operator trusts.
@functools.partial(with_operator_options, without=("allow_code", "trust_remote_code", "price_per_million_tokens"))
def generate(
    collection: Annotated[str, typer.Argument(help="A dataset id, such as xdr-mini/fi or folder:PATH.")],
    recipe: Annotated[str, typer.Argument(help="A recipe: a name, or the path of a TOML file (docs/generate.md).")],
    out: Annotated[
        Path, typer.Option("--out", help="NAME.jsonl for one file, any other name for a folder.", metavar="PATH")
    ],
    *,
    operator: Operator,
) -> None:
    """Generate texts for passages. What a killed command had finished is kept; the texts do not depend on the options."""
    from harness.adapters.consent import NOTHING
    from harness.compute.engine import opened_engine
    from harness.dense.encoder import resolved_device
    from harness.errors import WrongUsage
    from harness.recipes.generate.load import load_recipe
    from harness.recipes.generate.recipe import Operator as Chosen
    from harness.recipes.generate.runner import generate as generate_texts
    from harness.recipes.generate.runner import job_of

    context = operator.context(NOTHING)
    job = job_of(collection, load_recipe(recipe), out)
    if job.loaded.recipe.kind == "server" and operator.engine != "local":
        raise WrongUsage("a server does the work of such a recipe, and is asked from this machine: leave out --engine")
    with opened_engine(operator.engine, operator.workers, resolved_device(operator.device)) as engine:
        chosen = Chosen(operator.device, engine.threads, context.memory_bytes, context.server)
        found = generate_texts(job, chosen, context.shard_bytes, context.progress, engine)
    texts = sum(count for name, count in found.manifest.counts.items() if name.startswith("texts in "))
    if found.reused:
        note(f"{out} holds these very texts already")
    else:
        resumed = f", {found.resumed} of them resumed" if found.resumed else ""
        note(f"{texts} texts for {found.manifest.passages} passages{resumed}")
    for name, count in found.manifest.counts.items():
        if count and not name.startswith("texts in "):
            note(f"  {name}: {count}")
    say(out)
