"""Techniques are those of the data in use, whatever came along."""

import json

import pytest

from answering import ScriptedServer, use
from ctiscraper.analyses import Asking, version_of
from ctiscraper.analysing import known_techniques
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.model_asking import queue_texts
from ctiscraper.db.packs import Packs
from ctiscraper.known_techniques import TechniquesInUse
from ctiscraper.models.server import Prompt
from ctiscraper.packs.attack import NAME
from ctiscraper.packs.attack_matrix import AttackPack, Domain, Tactic, Technique
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import write_pack
from ctiscraper.tasks.modelling import ModelWorker
from db import modelled
from db.conftest import stage as stage  # noqa: PLC0414 - a fixture
from db.stage import Stage

TEXT = "The group used PowerShell to run its loader. Then it sent data away to its server."
NEW, GONE = "T1999", "T1059.001"


def pack(version: str, *ids: str) -> bytes:
    """A pack of ATT&CK with these techniques, and some that are not used any more."""

    def technique(number: str, **changes: object) -> Technique:
        values = {"id": number, "name": number, "stix_id": f"attack-pattern--{number}", **changes}
        return Technique(domains=(Domain.ENTERPRISE,), tactics=("execution",), **values)  # type: ignore[arg-type]  # a builder

    old = (
        technique(GONE, revoked=True, replaced_by=NEW),
        technique("T1998", deprecated=True),
    )
    tactic = Tactic(id="TA0002", name="Execution", short_name="execution", domain=Domain.ENTERPRISE)
    records = AttackPack(
        techniques=(*(technique(one) for one in ids), *old),
        tactics=(tactic,),
        versions={Domain.ENTERPRISE: version},
    )
    info = PackInfo(name=NAME, version=version, source="a test", licence="none", notice="")
    return write_pack(info, records)


async def test_another_pack_in_use_is_read_and_none_is_no_pack(stage: Stage) -> None:
    techniques = TechniquesInUse(stage.database)
    assert await techniques.read() is None
    await Packs(stage.database).install(pack("98", NEW))
    assert await techniques.read() == frozenset({NEW})
    assert await techniques.read() is await techniques.read()
    await Packs(stage.database).install(pack("99", NEW, "T1997"))
    assert await techniques.read() == frozenset({NEW, "T1997"})


@pytest.mark.parametrize("own", [True, False])
async def test_a_model_is_held_to_the_techniques_in_use(stage: Stage, own: bool) -> None:
    assert GONE in known_techniques()
    assert NEW not in known_techniques()
    claims = [
        {"quotes": ["used PowerShell to run its loader"], "technique": one, "text": "PowerShell."}
        for one in (NEW, GONE)
    ]

    async def answered(prompt: Prompt) -> str:
        del prompt
        return json.dumps({"claims": claims})

    if own:
        await Packs(stage.database).install(pack("99", NEW))
    what = use(version=version_of, tasks=(TaskName.TECHNIQUES,), seconds=60.0)
    number = await modelled.article(stage, "one", TEXT)
    async with stage.database.transaction() as conn:
        await queue_texts(conn, [number], what.wanted())
    asking = Asking(stage.database, ScriptedServer(answered=answered), what)
    assert await ModelWorker(asking, once=True).run() == 1
    [(state, found)] = await stage.rows("SELECT state, claims FROM model_analysis")
    assert state == "done"
    assert isinstance(found, list)
    assert [one["fields"]["technique"] for one in found] == [NEW if own else GONE]
