"""The way to a server of models: to that one address, and to nothing else."""

from collections.abc import Mapping
from pathlib import Path

from ctiscraper.errors import FetchError, SettingsError
from ctiscraper.http import EgressPolicy, only_server


def reach(
    url: str,
    *,
    user_agent: str,
    host_map: Mapping[str, str] | None = None,
    ca_bundle: Path | None = None,
    proxy: str | None = None,
) -> EgressPolicy:
    """Return the policy under which that server, and nothing else, may be asked.

    What is on another network goes through the proxy, if there is one. Raises SettingsError.
    """
    try:
        only = only_server(url, host_map or {})
    except FetchError as error:
        raise SettingsError(f"CTISCRAPER_MODEL_URL: {error.detail or error.reason}") from error
    return EgressPolicy(
        user_agent=user_agent,
        host_map={name: at for name, at in (host_map or {}).items() if name == only.host},
        ca_bundle=ca_bundle,
        proxy=None if only.private else proxy,
        only=only,
    )
