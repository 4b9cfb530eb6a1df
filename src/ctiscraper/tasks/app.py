"""The Celery application: messages say that there is work, never which."""

import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from celery import Celery, Task
from kombu import Queue

from ctiscraper.config import Settings
from ctiscraper.errors import SettingsError
from ctiscraper.types import Tier

COLLECT = "ctiscraper.tasks.app.collect"
# How often beat rings for each tier, and how long a ring that nobody heard is worth anything.
TICK_SECONDS = 5.0
# How long a message keeps a worker's ear busy while there is work.
SHIFT_SECONDS = 60.0
# A client that waits longer for Redis takes it for unreachable.
PATIENCE = 3.0


Shift = Callable[[Mapping[str, str], str], None]


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


def place_of(settings: Settings) -> str:
    """Return host and port of Redis, without what is secret in its URL."""
    parts = urlsplit(settings.redis_url or "")
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
