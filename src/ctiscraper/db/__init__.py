"""Store, deduplicate, account: the only room that speaks SQL."""
