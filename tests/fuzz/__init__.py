"""Coverage-guided fuzzing of every reader: ``python -m tests.fuzz --seconds N`` (with the extra ``fuzz``: atheris)."""
