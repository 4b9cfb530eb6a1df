"""PostgreSQL and Redis of this machine, in place of those that the stack Data makes."""

import json
import os
import subprocess
from pathlib import Path

from cti_ops.errors import OpsError
from cti_ops.place import Answer, Place
from rehearsal.account import secret_value
from rehearsal.processes import HERE, PYTHON, ROOT

STOP_SECONDS = 30.0


class Stores:
    """Servers that end when they are closed, or when this process has gone."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> list[tuple[str, str]]:
        """Return what stands in variables of tasks, and what is to stand there here.

        Raises OpsError.
        """
        database, redis = self._database(), self._redis()
        given = {
            "user": database["MasterUsername"],
            "password": self._owner_password(database),
            "database": database["DBName"],
            "redis_password": self._redis_password(),
        }
        self._folder.mkdir(parents=True)
        log = (self._folder / "stores.log").open("w")
        with log:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [str(PYTHON), str(ROOT / "bench" / "stores.py"), str(self._folder / "files")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={"PATH": os.environ["PATH"]},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(given)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            said = (self._folder / "stores.log").read_text("utf-8")
            raise OpsError(f"PostgreSQL and Redis of this machine do not start: {said[-2000:]}")
        ports = json.loads(line)
        self._place.say(
            f"PostgreSQL on port {ports['postgres']} and Redis on {ports['redis']} of this machine "
            "stand for RDS and ElastiCache"
        )
        self._snapshot(database)
        host = database["Endpoint"]["Address"]
        return [
            # Neither has TLS here, as the servers that come with the program have none.
            ("?sslmode=verify-full&sslrootcert=/secrets/rds-ca.pem", ""),
            (f"@{host}:5432/", f"@{HERE}:{ports['postgres']}/"),
            (f"rediss://{redis}:6379/", f"redis://{HERE}:{ports['redis']}/"),
        ]

    def close(self) -> None:
        """End both."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _database(self) -> Answer:
        found: Answer = self._place.client("rds").describe_db_instances(
            DBInstanceIdentifier=self._place.named("database")
        )["DBInstances"][0]
        return found

    def _owner_password(self, database: Answer) -> str:
        return secret_value(self._place, f"{database['MasterUserSecret']['SecretArn']}:password::")

    def _redis(self) -> str:
        found = self._place.client("elasticache").describe_replication_groups(
            ReplicationGroupId=self._place.named("redis")
        )["ReplicationGroups"][0]
        return str(found["NodeGroups"][0]["PrimaryEndpoint"]["Address"])

    def _redis_password(self) -> str:
        client = self._place.client("secretsmanager")
        arn = client.describe_secret(SecretId=self._place.secret("redis"))["ARN"]
        return secret_value(self._place, f"{arn}:password::")

    def _snapshot(self, database: Answer) -> None:
        """Take the first backup, as RDS does once a database is there."""
        name = database["DBInstanceIdentifier"]
        self._place.client("rds").create_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier=f"rds-{name}-first"
        )
