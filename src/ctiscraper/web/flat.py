"""Every route in one list.

A router within a router is asked for its route three times with each request, and within that
asks all of its own.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts


def add_routes(
    gathered: APIRouter,
    router: APIRouter,
    *,
    prefix: str = "",
    responses: Mapping[int | str, dict[str, Any]] | None = None,
    include_in_schema: bool = True,
) -> None:
    """Add what `include_router` would, each route as one of the gathering router itself.

    `responses` are described of each beside its own.
    """
    for route in iter_route_contexts(router.routes):
        assert isinstance(route.original_route, APIRoute), "routers of ours have no others"
        assert route.endpoint is not None, "each of these has one"
        gathered.add_api_route(
            f"{prefix}{route.path}",
            route.endpoint,
            response_model=route.response_model,
            status_code=route.status_code,
            tags=route.tags,
            dependencies=route.dependencies,
            summary=route.summary,
            description=route.description,
            response_description=route.response_description,
            responses={**(responses or {}), **route.responses},
            deprecated=route.deprecated,
            methods=sorted(route.methods or ()),
            operation_id=route.operation_id,
            include_in_schema=include_in_schema and route.include_in_schema,
            response_class=route.response_class,
            name=route.name,
            route_class_override=type(route.original_route),
            openapi_extra=route.openapi_extra,
        )
