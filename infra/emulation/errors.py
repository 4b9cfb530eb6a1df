"""What stops a deployment."""


class DeploymentError(Exception):
    """A resource that could not be made, by its place and the reason."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason
