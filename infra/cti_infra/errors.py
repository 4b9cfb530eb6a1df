"""What is said when settings do not hold."""

from collections.abc import Sequence


class SettingsError(Exception):
    """Settings that cannot be deployed; the message names each fault and what to do."""

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{where} cannot be deployed:\n" + "\n".join(f"  {f}" for f in faults))
