"""Every route in one list.

A router within a router is asked for its route three times with each request, and within that
asks all of its own. And what FastAPI makes of a function takes it milliseconds: it is made once,
for the list, and not of each module when it is imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Noted:
    """A route that is to be made, with what FastAPI is to be told of it."""

    path: str
    endpoint: Callable[..., Any]
    options: Mapping[str, Any]

    @property
    def methods(self) -> frozenset[str]:
        """The methods that it answers."""
        return frozenset(self.options["methods"])


class Routes(APIRouter):
    """The routes of one module, noted until `add_routes` makes them."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as FastAPI takes them
        super().__init__(**options)
        self.noted: list[Noted] = []

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - as FastAPI takes them
        """Note a route with what holds for all of this router."""
        options["tags"] = [*self.tags, *(options["tags"] or ())]
        options["dependencies"] = [*self.dependencies, *(options["dependencies"] or ())]
        options["route_class_override"] = self.route_class
        self.noted.append(Noted(f"{self.prefix}{path}", endpoint, options))


def add_routes(
    gathered: APIRouter,
    router: Routes,
    *,
    prefix: str = "",
    responses: Mapping[int | str, dict[str, Any]] | None = None,
    include_in_schema: bool = True,
) -> None:
    """Add what `include_router` would, each route as one of the gathering router itself.

    `responses` are described of each beside its own.
    """
    for one in router.noted:
        options = {
            **one.options,
            "responses": {**(responses or {}), **(one.options["responses"] or {})},
            "include_in_schema": include_in_schema and one.options["include_in_schema"],
        }
        gathered.add_api_route(f"{prefix}{one.path}", one.endpoint, **options)
