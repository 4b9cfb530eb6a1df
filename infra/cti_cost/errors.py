"""What is said when a cost cannot be told."""


class CostError(Exception):
    """A cost that nothing written down gives; the message names it and what to do."""
