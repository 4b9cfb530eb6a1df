"""What the API offers of events; written from the description of the API, not by hand."""

from ctiscraper.client.transport import Transport


class EventsCalls(Transport):
    """The operations of events."""

    def get_events(
        self,
        *,
        after: int | None = None,
    ) -> bytes:
        """What happens, as it happens.

        Server-sent events: `articles` with how many were `added`, and `work` with its progress.

        The id of an event resumes behind it, as `after` or in `Last-Event-ID`. A comment comes
        every 15 seconds; `end` says that the session is over.

        Needs `article:read`.
        """
        return self.call("GET", "/events", bytes, query={"after": after})
