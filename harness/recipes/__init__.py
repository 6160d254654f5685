"""What is made from a recipe before any run: generated text and trained models."""
