"""Scores of an evaluation, as cells of a table and as JSON."""

from ctiscraper.enrich.evaluate import Score


def numbers(score: Score) -> tuple[object, ...]:
    """Return the cells of a score: counts, precision, recall and F1."""
    shares = (f"{share:.3f}" for share in (score.precision, score.recall, score.f1))
    return (score.right, score.extra, score.missed, *shares)


def shares_of(score: Score) -> dict[str, float]:
    """Return a score as JSON."""
    return {
        "right": score.right,
        "extra": score.extra,
        "missed": score.missed,
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "f1": round(score.f1, 4),
    }
