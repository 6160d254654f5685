"""Models behind servers of others: where they are, how they are asked, and how their answers are kept."""
