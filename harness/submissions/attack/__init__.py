"""Questions chosen against a system within a budget of questions to it: a search that sees its rankings and nothing else."""
