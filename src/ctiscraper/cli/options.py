"""Options that many commands have in common."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Data folder; by default CTISCRAPER_DATA_DIR, or one in your home.",
        show_default=False,
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert", metavar="FILE", help="Certificate to speak TLS with.", show_default=False
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option("--tls-key", metavar="FILE", help="The key to it.", show_default=False),
]
BehindProxy = Annotated[
    str | None,
    typer.Option(
        "--behind-proxy",
        metavar="CIDRS",
        help="Networks of the proxies before the pages; what they say of who asks is believed.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=64, help="Worker processes.", show_default=False),
]
Because = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the record of changes.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many to show.")]
Csv = Annotated[
    bool, typer.Option("--csv", help="Print all of it as CSV, or as many as --limit says.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Instead of standard output.")
]
Defanged = Annotated[
    bool, typer.Option("--defanged", help="Spell addresses so that none can be followed.")
]
Most = Annotated[
    int | None,
    typer.Option("--limit", min=1, max=200, help="How many to show.", show_default=False),
]
Cursor = Annotated[
    str | None,
    typer.Option("--cursor", metavar="WORD", help="Go on where a list ended.", show_default=False),
]
Of = Annotated[
    str | None, typer.Option("--source", metavar="KEY", help="Of this source.", show_default=False)
]
Since = Annotated[
    datetime | None, typer.Option("--since", help="Published since (UTC).", show_default=False)
]
Until = Annotated[
    datetime | None, typer.Option("--until", help="Published before (UTC).", show_default=False)
]


def utc(at: datetime | None) -> datetime | None:
    """Return a moment as it was given; without an offset it is meant in UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
