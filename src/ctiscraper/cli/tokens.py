"""`token`: what programs show to be let in."""

from typing import Annotated

import typer

from ctiscraper.access.tokens import new_token
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import moment, print_json, print_lines, print_note, print_table
from ctiscraper.db.tokens import ApiToken, Tokens
from ctiscraper.errors import InputError
from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.loop import run_async

DAYS = 90

app = typer.Typer(no_args_is_help=True, help="Tokens of programs.")


@app.command()
def create(  # noqa: PLR0913 - one parameter for each option
    *,
    name: Annotated[str, typer.Argument(help="Which program uses it.")],
    scope: Annotated[
        list[Permission] | None,
        typer.Option("--scope", help="What it may do; may be repeated.", show_default=False),
    ] = None,
    role: Annotated[
        Role | None, typer.Option("--role", help="All that this role may do.", show_default=False)
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            metavar="LOGIN",
            help="Whom it belongs to: it never may do more than he. By itself to nobody.",
            show_default=False,
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Until it expires.")] = DAYS,
    forever: Annotated[bool, typer.Option("--forever", help="Let it never expire.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a token and print it, this once."""
    scopes = set(scope or ()) | (GRANTS[role] if role else frozenset())
    if not scopes:
        raise typer.BadParameter("say what it may do, with --scope or --role")
    if not name.strip() or not name.isprintable():
        raise typer.BadParameter("a name needs a word in it")
    secret, key = new_token()

    async def make() -> ApiToken:
        async with open_database(settings_for(data)) as database:
            tokens = Tokens(database)
            owner = None if user is None else await tokens.owner(user)
            if owner is not None and (beyond := sorted(scopes - GRANTS[owner[1]])):
                raise InputError(
                    f"'{user}' has the role {owner[1]} and may not do this: {', '.join(beyond)}; "
                    "leave these scopes out, or give him another role"
                )
            await tokens.add(
                key,
                name=name.strip(),
                scopes=scopes,
                user_id=owner[0] if owner else None,
                days=None if forever else days,
            )
            made = await tokens.get(key.id)
            state = {"name": made.name, "scopes": list(made.scopes), "owner": made.owner}
            await note_deed(database, "token.make", made.id, after=state)
            return made

    made = run_async(make())
    if json:
        print_json({"secret": secret, "token": made})
        return
    print_note(f"the token of '{made.name}', shown this once; it is kept nowhere")
    print_lines([secret])


@app.command("list")
def list_tokens(*, data: Data = None, json: Json = False) -> None:
    """Everybody's tokens, those that live first."""

    async def read() -> tuple[ApiToken, ...]:
        async with open_database(settings_for(data)) as database:
            return await Tokens(database).all()

    found = run_async(read())
    if json:
        print_json(found)
        return
    if not found:
        print_lines(["There is no token yet."])
        return
    print_table(
        ["id", "name", "of", "lives", "made", "last used", "expires", "may"],
        [
            (
                one.id,
                one.name,
                one.owner or "nobody",
                "yes" if one.live else "no",
                moment(one.created_at),
                moment(one.last_used_at),
                moment(one.expires_at) or "never",
                ", ".join(one.scopes),
            )
            for one in found
        ],
    )


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Let a token be of no use any more, nor what was made by it."""

    async def take_back() -> ApiToken:
        async with open_database(settings_for(data)) as database:
            revoked = await Tokens(database).revoke(token)
            await note_deed(database, "token.revoke", revoked.id)
            return revoked

    revoked = run_async(take_back())
    if json:
        print_json(revoked)
        return
    print_lines([f"The token of '{revoked.name}' lets nobody in any more."])
