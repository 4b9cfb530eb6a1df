"""Background work: a door without logic; the pipeline knows what to do."""
