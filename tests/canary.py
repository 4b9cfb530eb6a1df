"""A process that logs a secret wherever one could stand: python -m canary WAY."""

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable

import structlog
from celery import Celery, signals
from celery.utils.log import get_task_logger
from kombu.log import get_logger as get_kombu_logger
from structlog.contextvars import bound_contextvars

from ctiscraper.telemetry import configure_logs

CANARY = "canary-4d1f9c"
ACCESS_KEY = "AKIACANARYCANARYCANA"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJ{CANARY}.{CANARY}"

log = structlog.get_logger()


def connect(password: str) -> None:
    """Fail as a driver does that tells too much."""
    raise ConnectionError(f"cannot connect: host=db.example password={password} dbname=cti")


def wrapped() -> None:
    try:
        connect(CANARY)
    except ConnectionError as error:
        raise RuntimeError(f"redis://:{CANARY}@cache.example:6379/0 is away") from error


def caught() -> None:
    try:
        wrapped()
    except RuntimeError:
        log.exception("failed", url=f"https://u:{CANARY}@acme.example/")


def caught_by_a_library() -> None:
    try:
        wrapped()
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")


def bound() -> None:
    with bound_contextvars(url=f"https://acme.example/?token={CANARY}", api_key=CANARY):
        log.info("bound")


def warned() -> None:
    warnings.warn(f"deprecated: password={CANARY}", UserWarning, stacklevel=1)


def in_a_thread() -> None:
    thread = threading.Thread(target=wrapped)
    thread.start()
    thread.join()


async def _forgotten() -> None:
    task = asyncio.get_running_loop().create_task(asyncio.to_thread(wrapped))
    await asyncio.wait({task})
    del task
    gc.collect()


def in_a_forgotten_task() -> None:
    asyncio.run(_forgotten())


def wrong_arguments() -> None:
    message = "%d items of %s"
    logging.getLogger("library").error(message, f"password={CANARY}")


# Each place by itself: what stands there, in a real process's log.
PLACES: dict[str, Callable[[], object]] = {
    "authorization": lambda: log.info("asked", headers={"Authorization": f"Bearer {CANARY}"}),
    "cookie": lambda: log.info("asked", headers=[("Cookie", f"session={CANARY}")]),
    "set-cookie": lambda: log.info("answered", headers={"set-cookie": f"s={CANARY}; Path=/"}),
    "api key": lambda: log.info("asked", headers=[(b"x-api-key", CANARY.encode())]),
    "field": lambda: log.info("opened", password=CANARY, dsn=CANARY, token=CANARY),
    "nested": lambda: log.info("set", settings={"a": [{"db": ({"secret": [CANARY]},)}]}),
    "userinfo": lambda: log.info("fetched", url=f"https://reader:{CANARY}@acme.example/feed"),
    "query": lambda: log.info("fetched", url=f"https://acme.example/f?key={CANARY}&page=2"),
    "signed": lambda: log.info("kept", url=f"https://raw.example/a?X-Amz-Signature={CANARY}"),
    "callback": lambda: log.info("came", url=f"/login/callback?code={CANARY}&state={CANARY}"),
    "conninfo": lambda: log.info("opened", server=f"host=db password='{CANARY}' user=cti"),
    "redis": lambda: log.info("bell", broker=f"redis://:{CANARY}@cache.example:6379/0"),
    "rediss": lambda: log.info("bell", broker=f"rediss://cti:{CANARY}@cache.example:6380/0"),
    "jwt": lambda: log.info("came", said=f"refused {JWT}"),
    "access key": lambda: log.info("kept", account=ACCESS_KEY),
    "event": lambda: log.info(f"cannot open postgresql://cti:{CANARY}@db.example/cti"),  # noqa: G004 - it is no format
    "bytes": lambda: log.info("sent", body=f'{{"password": "{CANARY}"}}'.encode()),
    "error": lambda: log.info("failed", error=ValueError(f"bad password={CANARY}")),
    "object": lambda: log.info("made", value=threading.Thread(name=f"token={CANARY}")),
    "name of a field": lambda: log.info("kept", urls={f"https://u:{CANARY}@acme.example/": 1}),
    "bound": bound,
    "traceback": caught,
    "library's message": lambda: logging.getLogger("httpx2").info(
        "GET %s", f"https://acme.example/?api_key={CANARY}"
    ),
    "library's traceback": caught_by_a_library,
    "library's mistake": wrong_arguments,
    "task": lambda: get_task_logger("tasks").warning("bell %s", f"redis://:{CANARY}@cache/0"),
    "broker": lambda: get_kombu_logger("kombu.connection").error("lost rediss://x:%s@h", CANARY),
    "warning": warned,
    "thread": in_a_thread,
    "forgotten task": in_a_forgotten_task,
}


def celery_worker() -> None:
    """Be a worker of Celery whose broker is away."""
    signals.setup_logging.connect(lambda **_: configure_logs(), weak=False)
    app = Celery("bell", broker=f"redis://:{CANARY}@127.0.0.1:1/0")
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=1,
        worker_redirect_stdouts=False,
        task_ignore_result=True,
    )
    app.worker_main(["worker", "--pool=solo", "--loglevel=info", "--without-mingle"])


def main(way: str) -> None:
    configure_logs(json={"json": True, "plain": False}.get(way), level="debug")
    if way == "celery":
        celery_worker()
        return
    for log_it in PLACES.values():
        log_it()
    wrapped()


if __name__ == "__main__":
    main(sys.argv[1])
