"""Rounds of self-training and of mining with static encoders: what is trained, on which rows, and how it is judged."""
