"""Data packs: the reference data that recognition rests on, each with version and licence."""
