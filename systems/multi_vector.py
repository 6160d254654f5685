"""Late interaction: a vector for each token, searched exactly by MaxSim; any model that sentence-transformers'
``MultiVectorEncoder`` loads, PyLate's and ColBERT's own checkpoints among them.

Khattab and Zaharia, ColBERT (arXiv 2004.12832). Masks, markers and the filling up of questions are the model's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness.adapters.contract import Context
from harness.compute.jobs import Job
from harness.dense.jobs import StoredTiles
from harness.dense.loading import EncoderSettings
from harness.dense.search import Candidates
from harness.dense.system import EncodingParameters
from harness.ragged.encoder import TokenVectors
from harness.ragged.maxsim import MAXSIM_VERSION, MaxSimJob, sizes_within
from harness.ragged.rows import Ragged
from harness.ragged.system import Opened, RaggedSystem

BIBTEX = """
@inproceedings{khattab2020colbert,
  author = {Khattab, Omar and Zaharia, Matei},
  title = {{ColBERT}: Efficient and Effective Passage Search via Contextualized Late Interaction over {BERT}},
  booktitle = {Proceedings of the 43rd International ACM SIGIR Conference on Research and Development in Information Retrieval},
  year = {2020},
  eprint = {2004.12832},
  archiveprefix = {arXiv}
}
"""


class MultiVector(RaggedSystem):
    version = 1
    bibtex = BIBTEX
    kind = TokenVectors
    rows_in_words = "vectors"
    only_of_questions = RaggedSystem.only_of_questions | {"similarity"}

    class Parameters(EncodingParameters):
        """``query_max_length``, where the model fills up questions to a fixed length: that length.

        ``similarity``: the sum of the largest products, or that divided by the number of the question's vectors.
        """

        similarity: Literal["maxsim", "meanmaxsim"] | None = None
        store_dtype: Literal["float16", "float32"] = "float16"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._parameters = parameters
        self.vector_dtype = parameters.store_dtype

    @property
    def versions(self) -> Mapping[str, int]:
        return {**super().versions, "maxsim": MAXSIM_VERSION}

    def _settings(self, context: Context, own_code: bool) -> EncoderSettings:
        own = self._parameters
        return EncoderSettings(
            self._model.path,
            "model",
            own.similarity,
            own.dtype,
            context.device,
            own_code=own_code,
            kernel=own.kernel,
        )

    def _searching(
        self, queries: Ragged, opened: Opened, depth: int, context: Context
    ) -> Job[StoredTiles[Ragged], Candidates]:
        threads = opened.engine.threads
        sizes = sizes_within(context.memory_bytes, threads, opened.dimensions)
        is_mean = opened.uses["queries"].similarity == "meanmaxsim"
        return MaxSimJob(queries, depth, is_mean, sizes, threads)
