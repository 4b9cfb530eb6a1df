"""What the pack of vulnerabilities says, as rows that readers join."""

from collections.abc import Iterator

from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn
from ctiscraper.packs.cve import CveFacts, CvePack, Cvss, Kev, facts

_VALUES = (
    "cvss, cvss_version, cvss_vector, epss, epss_percentile, kev_added, kev_due, kev_ransomware, "
    "kev_vendor, kev_product, kev_name"
)
_NAMES = _VALUES.split(", ")
_CHANGED = (
    f"ROW({', '.join(f'c.{name}' for name in _NAMES)}) "
    f"IS DISTINCT FROM ROW({', '.join(f'excluded.{name}' for name in _NAMES)})"
)
_SET = ", ".join(f"{name} = excluded.{name}" for name in _NAMES)

FACTS = f"SELECT id, {_VALUES} FROM cve WHERE id = ANY(%s)"  # noqa: S608 - constants


async def fill(conn: Conn, pack: CvePack) -> None:
    """Make the rows those of a pack; only rows that differ are written, and readers never wait."""
    await conn.execute("CREATE TEMPORARY TABLE cve_new (LIKE cve) ON COMMIT DROP")
    async with (
        conn.cursor() as cursor,
        cursor.copy(f"COPY cve_new (id, {_VALUES}) FROM STDIN") as copy,
    ):
        for row in _rows(pack):
            await copy.write_row(row)
    await conn.execute("ANALYZE cve_new")
    await conn.execute(
        "DELETE FROM cve c WHERE NOT EXISTS (SELECT FROM cve_new n WHERE n.id = c.id)"
    )
    await conn.execute(
        f"""
        INSERT INTO cve AS c (id, {_VALUES}) SELECT id, {_VALUES} FROM cve_new ORDER BY id
        ON CONFLICT (id) DO UPDATE SET {_SET} WHERE {_CHANGED}
        """  # noqa: S608 - constants
    )


def to_facts(row: TupleRow) -> CveFacts:
    """Return the facts of a row of FACTS."""
    cve, cvss, version, vector, epss, percentile, *exploited = row
    added, due, ransomware, vendor, product, name = exploited
    kev = None
    if added is not None:
        kev = Kev(
            id=cve,
            added=added,
            due=due,
            ransomware=ransomware,
            vendor=vendor,
            product=product,
            name=name,
        )
    return CveFacts(
        id=cve,
        cvss=None if cvss is None else Cvss(cvss, vector, version),
        epss=epss,
        epss_percentile=percentile,
        kev=kev,
    )


def _rows(pack: CvePack) -> Iterator[tuple[object, ...]]:
    for one in facts(pack):
        score: tuple[object, ...] = (None,) * 3
        if one.cvss is not None:
            score = (one.cvss.score, one.cvss.version, one.cvss.vector)
        exploited: tuple[object, ...] = (None,) * 6
        if one.kev is not None:
            kev = one.kev
            exploited = (kev.added, kev.due, kev.ransomware, kev.vendor, kev.product, kev.name)
        yield (one.id, *score, one.epss, one.epss_percentile, *exploited)
