"""Files that requests bring, and those that answers hand over."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import Response

from ctiscraper.web.schemas import ImportParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that is the body of a request; `name` stands in its problems."""

    body: bytes
    name: str
    dry_run: bool


async def _upload(request: Request, chosen: Annotated[ImportParameters, Query()]) -> Upload:
    return Upload(body=await request.body(), name=chosen.name, dry_run=chosen.dry_run)


UploadDep = Annotated[Upload, Depends(_upload)]


def takes(*media_types: str) -> dict[str, Any]:
    """Return what the description of a route says of the files that it takes."""
    return {"requestBody": {"content": {media_type: {} for media_type in media_types}}}


def gives(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return what the description of a route says of the file that it gives."""
    return {200: {"content": {media_type: {}}}}


def handed_over(body: str | bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser keeps under a name instead of showing it."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media_type, headers=headers)
