"""Page to article text: pure functions from bytes to an article's content."""
