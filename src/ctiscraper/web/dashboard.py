"""The dashboard as page and API have it: techniques by tactic, kept for all who ask in a moment."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from ctiscraper.dashboard_views import Dashboard, TacticHeat, TechniqueHeat, Trends
from ctiscraper.db.dashboard import DashboardBoard
from ctiscraper.db.trends import HOT_KINDS, TrendBoard
from ctiscraper.identity import Permission, Principal
from ctiscraper.web.deps import Services
from ctiscraper.web.matrix import Matrix
from ctiscraper.web.readers import MatrixDep
from ctiscraper.web.recent import Recent

SECONDS = 15.0
"""How old the dashboard may be."""

TREND_SECONDS = 300.0
"""How old trends may be, which are held against two months: they cost more and move less."""

_OTHER = "Of no tactic that is known here"


async def dashboard(request: Request, given: Services, matrix: MatrixDep) -> Dashboard:
    """Return the dashboard, of sources only to who may read of them."""
    kept, trended = request.app.state.dashboard, request.app.state.trends
    assert isinstance(kept, Recent)
    assert isinstance(trended, Recent)
    board = TrendBoard(given.database)

    async def make() -> Dashboard:
        trends = await trended.get("hot", lambda: board.trends(HOT_KINDS))
        return await _made(DashboardBoard(given.database), trends, matrix)

    found = await kept.get("all", make)
    assert isinstance(found, Dashboard)
    principal = request.state.principal
    assert isinstance(principal, Principal)
    if principal.may(Permission.SOURCE_READ):
        return found
    return replace(found, failing_count=0, failing=(), silent=())


DashboardDep = Annotated[Dashboard, Depends(dashboard)]


async def _made(board: DashboardBoard, trends: tuple[Trends, ...], matrix: Matrix) -> Dashboard:
    morning = await board.morning()
    day, week = trends
    return Dashboard(
        made_at=datetime.now(UTC),
        is_filled=morning.is_filled,
        day=day,
        week=week,
        watch_entries=morning.watch_entries,
        watched=morning.watched,
        failing_count=morning.failing_count,
        failing=morning.failing,
        silent=morning.silent,
        volumes=morning.volumes,
        sources=morning.sources,
        tactics=by_tactic(morning.techniques, matrix),
    )


def by_tactic(techniques: tuple[TechniqueHeat, ...], matrix: Matrix) -> tuple[TacticHeat, ...]:
    """Return the tactics of the enterprise matrix in its order, then what belongs to none."""
    names = {
        one.short_name: one.name for one in matrix.tactics if one.domain == "enterprise-attack"
    }
    tactics_of = {one.id: one.tactics for one in matrix.techniques}
    found: dict[str, list[TechniqueHeat]] = defaultdict(list)
    for one in techniques:
        placed = [names[t] for t in tactics_of.get(one.technique.value, ()) if t in names]
        for tactic in dict.fromkeys(placed or [_OTHER]):
            found[tactic].append(one)
    return tuple(
        TacticHeat(
            tactic=tactic,
            articles=sum(one.articles for one in found[tactic]),
            before=sum(one.before for one in found[tactic]),
            techniques=tuple(found[tactic]),
        )
        for tactic in (*names.values(), _OTHER)
        if found[tactic]
    )
