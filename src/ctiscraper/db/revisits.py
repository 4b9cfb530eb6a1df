"""When an item is looked at again that was looked at in vain."""

# A look that brought nothing new; the next edit of the entry waits the longer for it.
FRUITLESS = "least(fruitless + 1, 100)"
# What a second fruitless look waits; some feeds count readers or rotate advertisements.
REVISIT_AFTER = "10 minutes"
_MOST_DOUBLINGS = 10


def revisit_at(looks: str) -> str:
    """Return the SQL of when an item `j` may be looked at again after so many fruitless looks."""
    doublings = f"least({looks}, {_MOST_DOUBLINGS})"
    return f"greatest(now(), j.finished_at + (2 ^ {doublings} - 1) * interval '{REVISIT_AFTER}')"
