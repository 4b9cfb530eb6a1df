"""What the pages of things that articles name read from, and how a route asks for it."""

from typing import Annotated

from fastapi import Depends, Request

from ctiscraper.db.evidence import Evidence
from ctiscraper.db.packs import Packs
from ctiscraper.db.techniques import Techniques
from ctiscraper.web.attack import AttackShelf
from ctiscraper.web.deps import Services, over
from ctiscraper.web.matrix import Matrix


async def _matrix(request: Request, given: Services) -> Matrix:
    if given.matrix is not None:
        return given.matrix
    shelf = request.app.state.attack
    assert isinstance(shelf, AttackShelf)
    return await shelf.matrix(given.database)


EvidenceDep = Annotated[Evidence, Depends(over(Evidence))]
TechniquesDep = Annotated[Techniques, Depends(over(Techniques))]
PacksDep = Annotated[Packs, Depends(over(Packs))]
MatrixDep = Annotated[Matrix, Depends(_matrix)]
