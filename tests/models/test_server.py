"""Whether what a model is told leaves the network: by its server, and by its own name."""

import pytest

from answering import ScriptedServer
from ctiscraper.models.server import leaves


@pytest.mark.parametrize(
    ("model", "is_far"),
    [
        ("gpt-oss:120b-cloud", True),
        ("glm-4.6:cloud", True),
        ("GLM:Cloud", True),
        ("mine-cloud:latest", True),
        ("cloudy:7b", False),
        ("cloud-small:latest", False),
        ("small", False),
    ],
)
def test_a_model_that_is_passed_on_is_told_by_its_name(model: str, is_far: bool) -> None:
    assert leaves(ScriptedServer(), model) is is_far
    assert leaves(ScriptedServer(is_remote=True), model)
