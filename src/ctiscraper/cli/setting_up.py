"""The first administrator: how the one who starts the program comes to be him."""

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import SETUP_MINUTES, Accounts
from ctiscraper.cli.output import print_lines
from ctiscraper.db.principals import Principals
from ctiscraper.db.session import Database


async def setup_address(database: Database, url: str) -> str | None:
    """Return the address that makes the first administrator, None where there is somebody."""
    if await Principals(database).is_set_up():
        return None
    secret = await Accounts(database, Passwords()).offer_setup()
    # Behind the # it stays in the browser: no server and no log sees it.
    return f"{url}setup#token={secret}"


def print_setup(address: str) -> None:
    """Print the address, once and to the terminal alone."""
    print_lines(
        [
            "",
            "Nobody may log in yet. To make the first administrator, open",
            f"  {address}",
            f"within {SETUP_MINUTES} minutes; it is good once.",
            "",
        ]
    )
