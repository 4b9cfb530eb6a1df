"""What is known of a vulnerability beside the articles that name it."""

from dataclasses import dataclass
from datetime import date

from ctiscraper.db.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """A CVE's severity (CVSS), how likely it is to be exploited (EPSS), and whether it is (KEV).

    None where nobody has said so.
    """

    cvss: float | None
    cvss_version: str | None
    cvss_vector: str | None
    epss: float | None
    epss_percentile: float | None
    kev_added: date | None
    kev_due: date | None
    kev_ransomware: bool | None
    kev_name: str | None


class Vulnerabilities:
    """The facts of a data pack on vulnerabilities, where one is installed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self, cve: str) -> Vulnerability | None:
        """Return what is known of a CVE; None where nothing is, or no pack is installed."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT to_regclass('cve') IS NOT NULL")
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return None
            cursor = await conn.execute(
                """
                SELECT cvss, cvss_version, cvss_vector, epss, epss_percentile, kev_added, kev_due,
                    kev_ransomware, kev_name
                FROM cve WHERE id = %s
                """,
                (cve,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        return Vulnerability(
            cvss=row[0],
            cvss_version=row[1],
            cvss_vector=row[2],
            epss=row[3],
            epss_percentile=row[4],
            kev_added=row[5],
            kev_due=row[6],
            kev_ransomware=row[7],
            kev_name=row[8],
        )
