"""What an operator sets of language models."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[\w./-]*)?")


class ModelSettings(BaseModel):
    """The settings of language models; none is used until an address is given."""

    model_url: str = Field(
        default="",
        description="Server of language models, for instance http://127.0.0.1:11434; "
        "without it there are none, and nothing needs one.",
    )
    model_kind: Literal["ollama", "openai"] = Field(
        default="ollama",
        description="What that server speaks: ollama, or openai for any that is compatible.",
    )
    model: str = Field(
        default="",
        max_length=200,
        description="Model that articles are given to, by its name there.",
    )
    model_key_file: Path | None = Field(
        default=None, description="File with the key that the server of models asks for."
    )
    model_tasks: str = Field(
        default="summary",
        description="What a model does by itself with each new article, comma separated: summary, "
        "key_points, relations, techniques, detections, relevance, title; `none` for nothing. "
        "With relevance a model is given what is watched too, 50 entries at most, also on "
        "another network.",
    )
    model_slots: int = Field(
        default=1, ge=1, le=64, description="Questions that a model is asked at a time."
    )
    model_seconds: float = Field(
        default=120.0, ge=1, le=3600, description="Seconds that one answer may take in all."
    )
    model_context: int = Field(
        default=8192, ge=512, le=1_000_000, description="Tokens that the model can take in at once."
    )
    model_article_tokens: int = Field(
        default=300_000, ge=0, description="Tokens that one article may cost; 0 is without limit."
    )
    model_source_tokens: int = Field(
        default=500_000, ge=0, description="Tokens that one source may cost a day; 0 is no limit."
    )
    model_day_tokens: int = Field(
        default=5_000_000,
        ge=0,
        description="Tokens that analyses, questions and vectors by a server may cost a day, "
        "vectors of texts half of them; 0 is without limit.",
    )
    model_price_in: float = Field(
        default=0.0, ge=0, description="Price of a million tokens that a model is given."
    )
    model_price_out: float = Field(
        default=0.0, ge=0, description="Price of a million tokens that a model answers."
    )
    model_tlp: Literal["clear", "green", "amber", "red"] = Field(
        default="green",
        description="The most guarded text that may go to a model on another network.",
    )
    embedding: str = Field(
        default="builtin",
        max_length=200,
        description="Model of vectors for search by meaning: builtin, the name of one that the "
        "server of models has, or `none`.",
    )

    @field_validator("model_url")
    @classmethod
    def _address_named(cls, value: str) -> str:
        if value and not _ADDRESS.fullmatch(value):
            raise ValueError(f"{value!r} should read http://host:port or https://host/path")
        return value.rstrip("/")

    @property
    def has_model(self) -> bool:
        """Whether there is a model that articles may be given to."""
        return bool(self.model_url and self.model)
