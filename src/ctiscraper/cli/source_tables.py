"""How sources look on a terminal."""

from collections.abc import Iterable, Sequence

from ctiscraper.cli.output import ago, counted, due, moment, print_facts, print_lines, print_table
from ctiscraper.collect.catalog import settings_to_mapping
from ctiscraper.reasons import health_words, words_of
from ctiscraper.sourcing import ImportReport, Preview, Sample
from ctiscraper.types import Accounting
from ctiscraper.views import SourceDetail, SourceOverview

CHECKS = 10


def print_sources(sources: Sequence[SourceOverview]) -> None:
    """Print a table of sources."""
    print_table(
        ["key", "name", "tier", "state", "last good", "next", "a day", "cause"],
        [
            (
                source.key,
                source.name,
                source.tier,
                health_words(source.health),
                ago(source.last_success_at),
                due(source.next_check_at) if source.active else "",
                f"{source.items_per_day:.1f}" if source.items_per_day is not None else "",
                _cause(source.reason),
            )
            for source in sources
        ],
    )
    print_lines(["", counted(len(sources), "source")])


def print_source(detail: SourceDetail) -> None:
    """Print one source in full."""
    source, account = detail.overview, detail.accounting
    words = words_of(source.reason)
    print_facts(
        [
            ("Key", source.key),
            ("Name", source.name),
            ("State", health_words(source.health)),
            ("Cause", words.cause if words else ""),
            ("What to do", words.advice if words else ""),
            ("Detail" if words else "Last reading", source.detail),
            ("Last good answer", moment(source.last_success_at)),
            ("Next check", f"{moment(source.next_check_at)} ({due(source.next_check_at)})"),
            ("Host rests until", moment(source.paused_until)),
            ("Removed", moment(detail.removed_at)),
            ("Moved to", detail.moved_to),
            ("Items", _sum(account)),
        ]
    )
    print_lines(["", "Settings"])
    print_facts(settings_to_mapping(detail.settings).items())
    if detail.checks:
        print_lines(["", "Last checks"])
        _print_checks(detail)


def _sum(account: Accounting) -> str:
    return (
        f"{account.discovered} discovered = {account.stored} stored"
        f" + {account.duplicate} duplicate + {account.filtered} filtered"
        f" + {account.failed} failed + {account.dead} dead + {account.pending} pending"
    )


def _print_checks(detail: SourceDetail) -> None:
    print_table(
        ["when", "answer", "announced", "new", "changed", "requests", "bytes", "cause"],
        [
            (
                moment(check.checked_at),
                check.status or "",
                "unchanged" if check.unchanged else check.announced,
                check.discovered,
                check.changed,
                check.requests,
                check.wire_bytes,
                _cause(check.reason),
            )
            for check in detail.checks[:CHECKS]
        ],
    )


def print_check(detail: SourceDetail) -> None:
    """Print what the newest check of a source found."""
    check = detail.checks[0]
    words = words_of(check.reason)
    if words is not None:
        lines = [f"{detail.overview.key}: {words.cause} {check.detail}", f"  {words.advice}"]
    elif check.unchanged:
        lines = [f"{detail.overview.key}: nothing new since the last look"]
    else:
        counts = f"{check.announced} announced, {check.discovered} new, {check.changed} changed"
        notes = [f"  {check.detail}"] if check.detail else []
        lines = [f"{detail.overview.key}: {counts}", *notes]
    print_lines(lines)


def print_changes(detail: SourceDetail) -> None:
    """Print the edits of a source, newest first."""
    print_table(
        ["when", "who", "what", "why", "settings"],
        [
            (
                moment(change.changed_at),
                change.actor,
                change.action,
                change.reason,
                "; ".join(f"{f.field}: {f.before} → {f.after}" for f in change.fields),
            )
            for change in detail.changes
        ],
    )


def print_preview(preview: Preview) -> None:
    """Print what a source would bring."""
    settings = preview.settings
    print_facts(
        [
            ("Name", settings.name),
            ("Found by", f"{settings.discovery} {settings.feed_url or settings.url}"),
            ("Format", preview.kind),
            ("Entries", _entries(preview)),
            *_look_facts(preview),
            *(("Note", warning) for warning in preview.warnings[:5]),
        ]
    )
    for sample in preview.samples:
        print_lines(["", *_sample(sample)])


def _look_facts(preview: Preview) -> Iterable[tuple[str, str]]:
    """Rhythm, tier and manners of a source, and what there is like it, as far as it is known."""
    if preview.items_per_day is not None:
        yield "Publishes", f"{preview.items_per_day:.1f} a day"
    if preview.tier is not None:
        yield "Tier that fits", f"{preview.tier.tier}: {preview.tier.words}"
    if preview.robots is not None:
        yield "Requests", f"at least {preview.robots.gap:g} s apart"
    for one in preview.alike[:3]:
        words = [f"{one.shared} of its articles"] if one.shared else []
        words += ["the same site"] if one.same_site else []
        yield "Like it", f"{one.key}: {' and '.join(words)}"


def _entries(preview: Preview) -> str:
    words = f"{preview.announced}"
    if preview.passed != preview.announced:
        words += f", {preview.passed} of them by its URL patterns"
    return f"{words}, {preview.bad} that cannot be followed" if preview.bad else words


def _sample(sample: Sample) -> Iterable[str]:
    yield f"{moment(sample.published) or 'no date':<16}  {sample.title or '(no title)'}"
    yield f"  {sample.url}"
    if sample.method and sample.word_count:
        yield f"  {sample.word_count} words, read by {sample.method}"
    words = words_of(sample.reason)
    if words is not None:
        yield f"  {words.cause} {sample.detail}"
    elif sample.excerpt:
        yield f"  {' '.join(sample.excerpt.split())[:160]}…"


def print_import(report: ImportReport) -> None:
    """Print what became of each row."""
    print_table(
        ["row", "outcome", "key", "name", "address", "detail"],
        [(row.row, row.outcome, row.key, row.name, row.url, row.detail) for row in report.rows],
    )
    verb = "would be added" if report.dry_run else "added"
    known, bad = report.count("known"), report.count("bad")
    print_lines(["", f"{report.count('added')} {verb}, {known} known already, {bad} bad"])


def _cause(reason: str | None) -> str:
    words = words_of(reason)
    return words.cause if words else ""
