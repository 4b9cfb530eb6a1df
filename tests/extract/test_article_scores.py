"""Scores on the evaluation data beside the repository, as floors."""

import gzip
import importlib.util
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ctiscraper.extract.article import extract_article
from ctiscraper.extract.fingerprint import fingerprint, is_near_duplicate
from ctiscraper.types import ExtractionHints

EVAL = Path(__file__).parents[2].parent / "shared" / "eval"
HINTS = ExtractionHints(content_type="text/html; charset=utf-8")

pytestmark = pytest.mark.shared


def data(name: str) -> Path:
    place = EVAL / "data" / name
    if not place.exists():
        pytest.skip(f"the evaluation data are not here: {name}")
    return place


def scorer(name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location("textmetric", EVAL / "textmetric.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


def benchmark_pages() -> Iterator[tuple[bytes, str, str]]:
    folder = data("article_extraction/scrapinghub")
    for key, page in json.loads((folder / "ground-truth.json").read_text("utf-8")).items():
        source = folder / "html" / f"{key}.html.gz"
        if key[0] in "01234567" and source.exists():
            yield gzip.decompress(source.read_bytes()), page.get("url") or "", page["articleBody"]


def test_article_text_reaches_its_bar() -> None:
    page_scores, macro = scorer("page_scores"), scorer("macro")
    scores = [
        page_scores(want, extract_article(body, url or "https://b.example/", HINTS).text)
        for body, url, want in benchmark_pages()
    ]
    assert len(scores) > 50
    assert macro(scores)["f1"] >= 0.962


def test_known_near_duplicates_are_all_found() -> None:
    known = json.loads(lzma.decompress(data("dedup/minhash2500.json.xz").read_bytes()))
    prints = [fingerprint(text) for text in known["docs"]]
    by_key: dict[int, list[int]] = {}
    found = set()
    for place, print_ in enumerate(prints):
        for candidate in {c for key in print_.bands for c in by_key.get(key, ())}:
            if is_near_duplicate(prints[candidate], print_):
                found.add((candidate, place))
        for key in print_.bands:
            by_key.setdefault(key, []).append(place)
    assert found == {tuple(sorted(pair)) for pair in known["pairs"]}
