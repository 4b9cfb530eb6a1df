"""The Celery application: messages say that there is work, never which."""

import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from celery import Celery, Task
from kombu import Connection, Queue
from redis import CredentialProvider

from ctiscraper.config import Settings
from ctiscraper.errors import SettingsError
from ctiscraper.setting_texts import password_in
from ctiscraper.types import Tier

COLLECT = "ctiscraper.tasks.app.collect"
# How often beat rings for each tier, and how long a ring that nobody heard is worth anything.
TICK_SECONDS = 5.0
# How long a message keeps a worker's ear busy while there is work.
SHIFT_SECONDS = 60.0
# A client that waits longer for Redis takes it for unreachable.
PATIENCE = 3.0


Shift = Callable[[Mapping[str, str], str], None]


class FileCredentials(CredentialProvider):
    """User and password for each new connection, the password as its file holds it then."""

    def __init__(self, file: Path, url: str) -> None:
        parts = urlsplit(url)
        self._file = file
        self._user = unquote(parts.username or "")
        self._known = unquote(parts.password or "")

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return what is shown to Redis."""
        try:
            password = password_in(self._file)
        except (OSError, ValueError):
            # Whoever renews it may be about to write it: what was known may still do.
            password = self._known
        return (self._user, password) if self._user else (password,)


def make_app(settings: Settings, shift: Shift | None = None) -> Celery:
    """Return the application of these settings; a worker gives what a message makes it do.

    `shift` is told the headers of the message and its tier.

    Raises SettingsError without REDIS_URL.
    """
    if settings.redis_url is None:
        raise SettingsError(
            "the bell needs Redis: set REDIS_URL=redis://… (or rediss://…); "
            "without it 'ctiscraper worker' looks for work by itself"
        )
    app = Celery("ctiscraper", broker=settings.redis_url, set_as_current=False)
    if credentials := credentials_of(settings):
        app.amqp.Connection = partial(Connection, credential_provider=credentials)  # type: ignore[assignment]  # called like the class
        app.conf.redis_credentials = credentials
    app.conf.update(
        # Messages are data of a known shape, never code.
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        # One queue a tier: a worker may be told to hear some only.
        task_queues=[Queue(tier.value) for tier in Tier],
        task_default_queue=Tier.STANDARD.value,
        task_create_missing_queues=False,
        # Whether a message arrives, and how often, is of no account: PostgreSQL holds the work.
        task_acks_late=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        # A busy worker leaves the next message to an idle one.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_send_task_events=False,
        # Without it a busy worker never comes back from a restart of Redis.
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # Queues are asked in the order in which they are listed: premium first. Whatever
            # message comes, the most urgent hosts of all tiers are served, so none starves.
            "queue_order_strategy": "priority",
            "visibility_timeout": 5 * SHIFT_SECONDS,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": PATIENCE,
            "socket_keepalive": True,
            "health_check_interval": 15,
        },
        beat_schedule={
            f"collect-{tier}": {
                "task": COLLECT,
                "schedule": timedelta(seconds=TICK_SECONDS),
                "kwargs": {"tier": tier.value},
                "options": {"queue": tier.value, "expires": TICK_SECONDS},
            }
            for tier in Tier
        },
    )
    if settings.redis_url.startswith("rediss://"):
        app.conf.broker_use_ssl = tls_options(settings)
    if shift is not None:

        def collect(task: Task[..., None], tier: str) -> None:
            headers = task.request.headers or {}
            shift({k: v for k, v in headers.items() if isinstance(v, str)}, tier)

        # Not shared: what is shared of one application answers in every other of this process.
        app.task(name=COLLECT, bind=True, ignore_result=True, shared=False, lazy=False)(collect)
    return app


def tls_options(settings: Settings) -> dict[str, object]:
    """Return what every client of a rediss:// server is told: its certificate is checked."""
    options: dict[str, object] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    if settings.redis_ca is not None:
        options["ssl_ca_certs"] = str(settings.redis_ca)
    return options


def credentials_of(settings: Settings) -> FileCredentials | None:
    """Return what shows Redis the password of a file, None where there is no file."""
    if settings.redis_password_file is None or settings.redis_url is None:
        return None
    return FileCredentials(settings.redis_password_file, settings.redis_url)


def without_login(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def place_of(settings: Settings) -> str:
    """Return host and port of Redis, without what is secret in its URL."""
    parts = urlsplit(settings.redis_url or "")
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
