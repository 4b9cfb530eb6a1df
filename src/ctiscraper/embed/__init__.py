"""Texts as vectors: what means nearly the same lies near, whatever its words."""
