"""xdr-bench: benchmark harness and leaderboard for cross-lingual dense retrieval.

Importing this package makes its collections loadable by name: ``ir_datasets.load("xquad/ar")``.
"""

from harness.registration import register_collections_when_ir_datasets_is_loaded

__version__ = "0.1.0"

register_collections_when_ir_datasets_is_loaded()
