"""What is known of a CVE, with a pack of such facts and without."""

from datetime import date

from ctiscraper.db.session import Database
from ctiscraper.db.vulnerabilities import Vulnerabilities

TABLE = """
CREATE TABLE IF NOT EXISTS cve (id text PRIMARY KEY, cvss real, cvss_version text,
    cvss_vector text, epss real, epss_percentile real, kev_added date, kev_due date,
    kev_ransomware boolean, kev_vendor text, kev_product text, kev_name text)
"""


async def test_facts_are_told_where_they_are_known(database: str) -> None:
    async with Database(database, size=1) as opened:
        vulnerabilities = Vulnerabilities(opened)
        assert await vulnerabilities.facts("CVE-2026-1") is None
        async with opened.connection() as conn:
            await conn.execute(TABLE)
            await conn.execute(
                """
                INSERT INTO cve (id, cvss, cvss_version, epss, kev_added, kev_ransomware, kev_name)
                VALUES ('CVE-2026-1', 9.5, '3.1', 0.25, '2026-11-02', true, 'A hole')
                """
            )
        found = await vulnerabilities.facts("CVE-2026-1")
        assert found is not None
        assert (found.cvss, found.epss, found.cvss_vector) == (9.5, 0.25, None)
        assert (found.kev_added, found.kev_ransomware) == (date(2026, 11, 2), True)
        assert await vulnerabilities.facts("CVE-2026-2") is None
