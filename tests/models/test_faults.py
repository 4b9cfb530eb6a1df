"""What servers say of their faults is understood, cut short and made harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import FetchError, ModelFault, Reason
from ctiscraper.models.faults import MOST_TOLD, as_told, on_the_way, told


@pytest.mark.parametrize(
    ("status", "words", "fault"),
    [
        (404, "model 'llama3.2' not found", ModelFault.MODEL_MISSING),
        (404, 'model "x" not found, try pulling it first', ModelFault.MODEL_MISSING),
        (404, "The model `gpt-9` does not exist or you do not have access to it.",
         ModelFault.MODEL_MISSING),
        (400, "model_not_found", ModelFault.MODEL_MISSING),
        (500, "pull model manifest: file does not exist", ModelFault.MODEL_MISSING),
        (500, "model requires more system memory (5.6 GiB) than is available (3.1 GiB)",
         ModelFault.OUT_OF_MEMORY),
        (500, "llama runner process has terminated: cudaMalloc failed: out of memory",
         ModelFault.OUT_OF_MEMORY),
        (500, "llama runner process has terminated: signal: killed", ModelFault.OUT_OF_MEMORY),
        (500, "memory layout cannot be allocated", ModelFault.OUT_OF_MEMORY),
        (400, "the input length exceeds the context length", ModelFault.TOO_LONG),
        (400, "This model's maximum context length is 8192 tokens.", ModelFault.TOO_LONG),
        (400, ("request (6031 tokens) exceeds the available context size (4096 tokens), try "
         "increasing it exceed_context_size_error"), ModelFault.TOO_LONG),
        (503, "server busy, please try again.  maximum pending requests exceeded",
         ModelFault.BUSY),
        (503, "Loading model", ModelFault.BUSY),
        (429, "Rate limit reached for requests", ModelFault.BUSY),
        (429, "You exceeded your current quota, please check your billing details",
         ModelFault.REFUSED),
        (402, "Insufficient credits", ModelFault.REFUSED),
        (401, "Incorrect API key provided", ModelFault.REFUSED),
        (403, "model not found for this key", ModelFault.REFUSED),
        (400, "invalid JSON schema in format", ModelFault.REFUSED),
        (500, "runner exploded", ModelFault.BROKE_OFF),
        (500, "", ModelFault.BROKE_OFF),
        (501, "not built", ModelFault.BROKE_OFF),
        (502, "", ModelFault.AWAY),
        (502, "<html><center><h1>502 Bad Gateway</h1></center>nginx</html>", ModelFault.AWAY),
        (503, "no healthy upstream", ModelFault.AWAY),
        (503, "no available server", ModelFault.AWAY),
        (504, "stream timeout", ModelFault.AWAY),
        (524, "error code: 524", ModelFault.AWAY),
        (502, "llama runner process has terminated: signal: killed", ModelFault.OUT_OF_MEMORY),
    ],
)  # fmt: skip
def test_what_a_server_says_is_what_it_means(status: int, words: str, fault: ModelFault) -> None:
    error = as_told(status, words, model="m", server="it", way_out="pull m")
    assert error.fault is fault
    # What one text alone is refused for no later try mends.
    assert error.transient is (fault is not ModelFault.TOO_LONG and "schema" not in words)
    assert (words or str(status)) in " ".join(error.detail.split()) or "  " in words


@pytest.mark.parametrize(("status", "begun"), [(502, False), (503, False), (504, True)])
def test_a_gateway_that_waited_in_vain_may_have_cost_tokens(status: int, begun: bool) -> None:
    error = as_told(status, "", model="m", server="it", way_out="pull m")
    assert (error.begun, error.transient) == (begun, True)
    assert f"({status})" in error.detail


def test_the_way_out_is_told_for_a_model_that_is_missing() -> None:
    error = as_told(404, "not here", model="m", server="it", way_out="`ollama pull m` there")
    assert "`ollama pull m` there" in error.detail


@pytest.mark.parametrize("reason", list(Reason))
def test_every_way_to_fail_on_the_way_is_one_of_five(reason: Reason) -> None:
    error = on_the_way(FetchError(reason, "so it is"), "it", 5)
    assert error.fault in {
        ModelFault.AWAY,
        ModelFault.BROKE_OFF,
        ModelFault.TIMEOUT,
        ModelFault.REFUSED,
        ModelFault.BAD_ANSWER,
    }
    assert error.detail.startswith("it ")


@pytest.mark.parametrize(
    ("reason", "detail", "fault"),
    [
        (Reason.CONNECT, "refused", ModelFault.AWAY),
        (Reason.DNS, "no such name", ModelFault.AWAY),
        (Reason.OFFLINE, "no way out", ModelFault.AWAY),
        (Reason.TIMEOUT, "connect", ModelFault.AWAY),
        (Reason.TIMEOUT, "read", ModelFault.TIMEOUT),
        (Reason.TRUNCATED, "closed", ModelFault.BROKE_OFF),
    ],
)
def test_who_cannot_be_reached_is_told_from_who_broke_off(
    reason: Reason, detail: str, fault: ModelFault
) -> None:
    assert on_the_way(FetchError(reason, detail), "it", 5).fault is fault


@given(st.text(max_size=2_000))
def test_a_strangers_words_are_one_short_line_that_steers_nothing(words: str) -> None:
    line = told(words)
    assert len(line) <= MOST_TOLD
    assert line.isprintable()
    assert told(line) == line


@given(st.integers(400, 599), st.text(max_size=500))
def test_whatever_is_said_is_some_fault(status: int, words: str) -> None:
    error = as_told(status, words, model="m", server="it", way_out="pull m")
    assert isinstance(error.fault, ModelFault)
    assert len(error.detail) < 2 * MOST_TOLD
