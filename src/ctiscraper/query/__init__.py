"""The language that articles are searched in: text in, a tree or the place of a mistake out."""
