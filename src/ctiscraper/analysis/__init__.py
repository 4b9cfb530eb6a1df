"""What a model is asked of an article, and what of its answer is proved by the text: all pure."""
