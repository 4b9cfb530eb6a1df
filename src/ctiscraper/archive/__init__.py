"""Archives: a whole installation in one folder, made while it runs and checked by restoring it."""
