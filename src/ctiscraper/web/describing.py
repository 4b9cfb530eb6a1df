"""The API's description, and what it says of access: how to show who asks, and what that needs."""

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.rules import RULES, Public

_SCHEMES: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "cti_<id>_<secret>_<checksum>",
        "description": "An API token, made under /tokens; 600 requests a minute.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-ctiscraper",
        "description": (
            "The session of somebody who logged in (`ctiscraper` where there is no TLS); changes "
            "carry the session's token in the header `x-csrf-token` too."
        ),
    },
}
_EITHER: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]

router = Routes(route_class=GuardedRoute)


@router.get("/api/v1/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """Return the description of every operation (OpenAPI 3.1)."""
    return JsonAnswer(request.app.openapi(), headers={"cache-control": "private, no-cache"})


def describe_access(app: FastAPI) -> None:
    """Let the description of an app name for each operation what it needs."""
    described = app.openapi

    def with_access() -> dict[str, Any]:
        document = described()
        components = document.setdefault("components", {})
        if "securitySchemes" not in components:
            components["securitySchemes"] = _SCHEMES
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _tell(operation, f"{method.upper()} {path}")
        return document

    app.openapi = with_access  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _tell(operation: dict[str, Any], name: str) -> None:
    """Say in an operation what it needs."""
    rule = RULES[name]
    if isinstance(rule, Public):
        operation["security"] = []
        return
    operation["security"] = _EITHER
    operation["x-permission"] = rule.value
    said = operation.get("description", "").rstrip()
    operation["description"] = f"{said}\n\nNeeds `{rule.value}`.".lstrip()
