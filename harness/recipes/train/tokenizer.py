"""The tokenizer of a static encoder: a normaliser and a unigram model, all of it in tokenizer.json."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.collections.romanize import normalizer
from harness.errors import InvalidInput
from harness.recipes.train.sources import TokenizerRecipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNKNOWN = "<unk>"
# Sentencepiece's own limit of 4192 bytes would silently drop longer texts; passages here are shorter.
_MAX_BYTES = 16_384


def train_tokenizer(texts: Sequence[str], recipe: TokenizerRecipe, seed: int) -> Tokenizer:
    """A unigram tokenizer of at most ``recipe.vocabulary`` pieces, trained on ``texts`` after normalisation.

    Raises ``InvalidInput`` when the texts are too few for that vocabulary.
    """
    import sentencepiece
    from tokenizers import Tokenizer, models, pre_tokenizers

    sample = list(texts)
    random.Random(seed).shuffle(sample)
    normal = normalizer(recipe.style)
    trained = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(normal.normalize_str(text) for text in sample[: recipe.sample]),
            model_writer=trained,
            model_type="unigram",
            vocab_size=recipe.vocabulary,
            # The normaliser of tokenizer.json has done it all.
            normalization_rule_name="identity",
            character_coverage=0.9998,
            max_sentence_length=_MAX_BYTES,
            hard_vocab_limit=False,
            split_digits=False,
            num_threads=1,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InvalidInput(_why_not(recipe.vocabulary, len(sample), str(error))) from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]
    pieces[0] = (_UNKNOWN, 0.0)
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normal
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False),
        ]
    )
    return tokenizer


# Sentencepiece's messages name options that a recipe does not have.
_TOO_FEW = re.compile(r"required_chars\. (\d+) vs (\d+)")


def _why_not(vocabulary: int, texts: int, said: str) -> str:
    if not texts:
        return "no tokenizer can be made: its sources hold no text"
    what = f"tokenizer.vocabulary = {vocabulary}: no tokenizer of so many pieces can be made of {texts} texts"
    if found := _TOO_FEW.search(said):
        return f"{what}: their characters alone are {max(map(int, found.groups()))} pieces; give more than that"
    return f"{what}: {said}"
