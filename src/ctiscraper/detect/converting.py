"""A rule in the languages of those who search logs, by pySigma's backends."""

from collections.abc import Callable
from typing import Any

from sigma.backends.elasticsearch.elasticsearch_esql import ESQLBackend
from sigma.backends.elasticsearch.elasticsearch_lucene import LuceneBackend
from sigma.backends.kusto.kusto import KustoBackend
from sigma.backends.splunk.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.pipelines.elasticsearch.windows import ecs_windows
from sigma.pipelines.microsoftxdr.microsoftxdr import microsoft_xdr_pipeline
from sigma.pipelines.sentinelasim.sentinelasim import sentinel_asim_pipeline
from sigma.pipelines.splunk.splunk import splunk_windows_pipeline
from sigma.processing.pipeline import ProcessingPipeline

from ctiscraper.detect.drafted import Query, Target
from ctiscraper.detect.reading import read_rule

MOST_QUERY = 200_000
"""How many characters a query has at most: no console takes more."""

_LONGEST_SAID = 300

_Way = tuple[
    str, Callable[[], ProcessingPipeline | None], Callable[[ProcessingPipeline | None], Any]
]

# The first way of a language that takes a rule is the one that is used.
_WAYS: dict[Target, tuple[_Way, ...]] = {
    Target.SPLUNK: (("splunk_windows", splunk_windows_pipeline, SplunkBackend),),
    Target.ELASTICSEARCH: (("ecs_windows", ecs_windows, LuceneBackend),),
    Target.ESQL: (("ecs_windows", ecs_windows, ESQLBackend),),
    Target.KQL: (
        ("microsoft_xdr", microsoft_xdr_pipeline, KustoBackend),
        ("sentinel_asim", sentinel_asim_pipeline, KustoBackend),
        ("the fields of the rule", lambda: None, KustoBackend),
    ),
}


def convert(text: str, target: Target) -> Query:
    """Return a rule in a language, or why it cannot be. Raises InputError for what is no rule."""
    failure = ""
    for pipeline, made, backend in _WAYS[target]:
        # Conversion changes the rule that it is given.
        rule = read_rule(text)
        try:
            found = backend(made()).convert(SigmaCollection([rule]))
        except (
            SigmaError,
            NotImplementedError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            failure = (
                failure or " ".join(str(error).split())[:_LONGEST_SAID] or type(error).__name__
            )
            continue
        query = "\n".join(str(one) for one in found)
        if len(query) > MOST_QUERY:
            return Query(
                target=target, failure=f"the query has more than {MOST_QUERY:,} characters"
            )
        return Query(target=target, text=query, pipeline=pipeline)
    return Query(target=target, failure=failure)


def convert_all(text: str) -> tuple[Query, ...]:
    """Return a rule in every language. Raises InputError for what is no rule."""
    return tuple(convert(text, target) for target in Target)
