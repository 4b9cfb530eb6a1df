"""PostgreSQL and Redis on loopback as RDS and ElastiCache give them, until input ends.

    PYTHONPATH=src .venv/bin/python bench/stores.py FOLDER

The first line of input is JSON: `user`, `password`, `database` and `redis_password`. The first
line of output is JSON: the ports. As on RDS the user may make roles and databases, and is no
superuser. Started by the rehearsal of a deployment (infra/rehearsal).
"""

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import AsyncConnection, OperationalError, sql
from psycopg.conninfo import make_conninfo

from ctiscraper.db.account import choose_account
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.cluster import SUPERUSER, Cluster, last_words
from ctiscraper.db.socket_dir import make_socket_dir, socket_dir_for
from ctiscraper.tasks.valkey import EmbeddedValkey

HOST = "127.0.0.1"
# As RDS names its own superuser.
OWNER = "rdsadmin"
# By the socket whoever runs this; by TCP with a password, as in the network of an environment.
DOORS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
START_SECONDS = 60.0
_POLL = 0.05


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@asynccontextmanager
async def postgres(folder: Path, port: int) -> AsyncIterator[str]:
    """Yield how the superuser connects to a server of its own."""
    folder.mkdir(parents=True)
    account = choose_account(folder, folder / "cluster")
    account.hand_over(folder)
    cluster = Cluster(folder / "cluster", account.reachable(find_binaries(None), folder), account)
    # A socket has a short path, whatever that of the folder is.
    socket_dir = socket_dir_for(folder, None)
    make_socket_dir(socket_dir)
    account.hand_over(socket_dir)
    log = folder / "log"
    await cluster.make(log, durable=False)
    (cluster.folder / "pg_hba.conf").write_text(DOORS, "utf-8")
    options = {"listen_addresses": HOST, "port": str(port), "fsync": "off"}
    process = await cluster.start(*cluster.server_command(socket_dir, options), log=log)
    conninfo = make_conninfo(host=str(socket_dir), port=port, user=SUPERUSER, dbname="postgres")
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await answers(conninfo):
                if process.returncode is not None:
                    raise SystemExit(f"PostgreSQL does not start: {last_words(log)}")
                await asyncio.sleep(_POLL)
        yield conninfo
    finally:
        if process.returncode is None:
            process.terminate()
            # Sessions that are still there end with it.
            try:
                await asyncio.wait_for(process.wait(), 2)
            except TimeoutError:
                process.kill()
                await process.wait()
        shutil.rmtree(socket_dir, ignore_errors=True)


async def answers(conninfo: str) -> bool:
    try:
        connection = await AsyncConnection.connect(conninfo, connect_timeout=5)
    except OperationalError:
        return False
    await connection.close()
    return True


async def hand_over(conninfo: str, given: dict[str, str]) -> None:
    """Make the user and the database that a template names."""
    user, database = sql.Identifier(given["user"]), sql.Identifier(given["database"])
    async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(
            sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(sql.Identifier(OWNER))
        )
    renamed = make_conninfo(conninfo, user=OWNER)
    async with await AsyncConnection.connect(renamed, autocommit=True) as connection:
        for statement in (
            # The product's own name for it is that which the template gives to a user.
            sql.SQL("ALTER ROLE {} RENAME TO bootstrap").format(sql.Identifier(SUPERUSER)),
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
                user, sql.Literal(given["password"])
            ),
            sql.SQL("CREATE DATABASE {} OWNER {}").format(database, user),
        ):
            await connection.execute(statement)


async def serve(folder: Path) -> None:
    """Serve until input ends."""
    given = json.loads(await asyncio.to_thread(sys.stdin.readline))
    port = free_port()
    valkey = EmbeddedValkey(folder / "valkey", password=given["redis_password"])
    async with valkey, postgres(folder / "postgres", port) as conninfo:
        await hand_over(conninfo, given)
        ports = {"postgres": port, "redis": valkey.port}
        sys.stdout.write(f"{json.dumps(ports)}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
