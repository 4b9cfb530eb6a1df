"""What the API offers of dashboard; written from the description of the API, not by hand."""

from typing import Literal

from ctiscraper.client.dashboard_types import Dashboard, Trends
from ctiscraper.client.transport import Transport


class DashboardCalls(Transport):
    """The operations of dashboard."""

    def get_dashboard(
        self,
    ) -> Dashboard:
        """What a morning asks.

        May be 15 seconds old, trends five minutes.

        Without the right to read of sources these parts are empty.

        Needs `article:read`.
        """
        return self.call("GET", "/dashboard", Dashboard)

    def get_trends(
        self,
        *,
        kind: tuple[
            Literal[
                "actor",
                "malware",
                "ransomware",
                "tool",
                "technique",
                "cve",
                "vendor",
                "product",
                "sector",
                "country",
            ],
            ...,
        ]
        | None = None,
        window: Literal["24h", "7d"] | None = None,
        limit: int | None = None,
    ) -> Trends:
        """What stands out.

        Things that more articles name than usually do, held against the eight weeks before.

        `score` is in standard deviations of a count; below 3, in fewer than three articles or
        by one source alone nothing is listed.

        Needs `article:read`.
        """
        return self.call(
            "GET", "/trends", Trends, query={"kind": kind, "window": window, "limit": limit}
        )
