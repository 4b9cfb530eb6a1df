"""What an installation has of language models, by its settings."""

from ctiscraper.analyses import ModelUse, version_of
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.config import Settings
from ctiscraper.db.model_spending import Limits
from ctiscraper.errors import SettingsError
from ctiscraper.types import Tlp

NOTHING = "none"


def model_use(settings: Settings) -> ModelUse | None:
    """Return what is asked of which model, None where none is configured. Raises SettingsError."""
    if not settings.has_model:
        return None
    only = settings.model_policy().only
    assert only is not None, "a policy for one server"
    return ModelUse(
        server=settings.model_url,
        remote=not only.private,
        model=settings.model,
        version=version_of,
        tasks=tasks_of(settings.model_tasks),
        slots=settings.model_slots,
        seconds=settings.model_seconds,
        context=settings.model_context,
        tlp=Tlp(settings.model_tlp),
        limits=limits_of(settings),
    )


def limits_of(settings: Settings) -> Limits:
    """Return what models may cost, and what their tokens do."""
    return Limits(
        article=settings.model_article_tokens,
        source=settings.model_source_tokens,
        day=settings.model_day_tokens,
        price_in=settings.model_price_in,
        price_out=settings.model_price_out,
        context=settings.model_context,
    )


def tasks_of(words: str) -> tuple[TaskName, ...]:
    """Return the tasks that are named, comma separated. Raises SettingsError."""
    names = [name for word in words.split(",") if (name := word.strip().lower())]
    if names in ([], [NOTHING]):
        return ()
    known = {task.value for task in TaskName}
    if wrong := [name for name in names if name not in known]:
        raise SettingsError(
            f"CTISCRAPER_MODEL_TASKS: {wrong[0]!r} is no task; there are {', '.join(sorted(known))}"
        )
    return tuple(TaskName(name) for name in dict.fromkeys(names))
