"""The official `openai` and `anthropic` libraries through the real daemon: streams, tools, structured output, refusals, retries.

Each case is a program of its own in the environment of the libraries (`clients/sdks`), which says what came of it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.e2e.bookkeeping import as_billed
from tests.e2e.desk import COMMAND_S_MAX, FAMILIES, Desk, desk_with_daemon, desk_with_providers
from tests.e2e.installs import SHELF
from tests.e2e.provider import Simulator, simulator

pytestmark = pytest.mark.e2e

CALL = {"command": "ls -R"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture(scope="module", params=["anthropic", "openai", "google"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider: Simulator) -> Iterator[Desk]:
    """A desk for each format that a provider may speak: the libraries must not notice which it is."""
    with desk_with_providers(tmp_path_factory.mktemp(request.param), provider, [request.param]) as desk:
        yield desk


def test_a_chat_is_answered_whole_and_streamed(desk: Desk) -> None:
    whole, streamed = _said(desk, "openai", "chat"), _said(desk, "openai", "chat_stream")
    assert (whole["finish"], whole["model"], streamed["finish"], streamed["ids"]) == ("stop", "auto", ["stop"], 1)
    assert whole["text"] == streamed["text"]
    assert "capital of France" in str(whole["text"])
    assert cast(int, streamed["pieces"]) > 10
    for usage in (_inner(whole, "usage"), _inner(streamed, "usage")):
        assert usage["prompt_tokens"] == 11
        # Google counts thoughts in the total alone, and what a provider of the client's own format says is passed on.
        assert usage["total_tokens"] >= usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["cost"] > 0


def test_a_response_is_answered_whole_and_streamed(desk: Desk) -> None:
    whole, streamed = _said(desk, "openai", "responses"), _said(desk, "openai", "responses_stream")
    assert (whole["status"], whole["model"]) == ("completed", "auto")
    assert whole["text"] == streamed["text"] == streamed["deltas"]
    assert (streamed["first"], streamed["last"]) == ("response.created", "response.completed")
    numbers = cast("list[int]", streamed["numbers"])
    assert numbers == list(range(len(numbers)))
    assert _inner(whole, "usage")["input_tokens"] == 11


def test_a_message_is_answered_whole_and_streamed(desk: Desk) -> None:
    whole, streamed = _said(desk, "anthropic", "message"), _said(desk, "anthropic", "message_stream")
    assert (whole["stop"], whole["model"], streamed["stop"]) == ("end_turn", "claude-stepfare-auto", "end_turn")
    assert whole["text"] == streamed["text"]
    events = cast("list[str]", streamed["events"])
    assert (events[0], events[-1], events.count("message_delta")) == ("message_start", "message_stop", 1)
    assert events.count("content_block_start") == events.count("content_block_stop") >= 1
    assert _inner(whole, "usage")["input_tokens"] == 11


@pytest.mark.parametrize(
    ("library", "case", "then"),
    [("openai", "chat_tools", "stop"), ("openai", "responses_tools", "completed"), ("anthropic", "message_tools", "end_turn")],
)
def test_a_tool_is_called_and_its_result_goes_back(desk: Desk, library: str, case: str, then: str) -> None:
    said = _said(desk, library, case)
    assert (said["calls"], said["then"]) == ([["bash", CALL]], then)


@pytest.mark.parametrize(
    ("library", "case"), [("openai", "chat_structured"), ("openai", "responses_structured"), ("anthropic", "message_structured")]
)
def test_an_answer_keeps_to_the_schema_that_is_asked_for(desk: Desk, library: str, case: str) -> None:
    said = _said(desk, library, case)
    assert isinstance(said["title"], str)
    assert isinstance(said["done"], bool)
    assert set(said) == {"title", "done"}


@pytest.mark.parametrize("library", ["openai", "anthropic"])
def test_models_are_listed_with_our_names_first(desk: Desk, library: str) -> None:
    names = cast("list[str]", _said(desk, library, "models"))
    assert names[:5] == ["auto", "frugal", "balanced", "careful", "premium"]
    assert len(names) > 5


def test_tokens_are_counted_without_being_paid(desk: Desk, provider: Simulator) -> None:
    before, entries = len(provider.bill()), len(desk.ledger())
    assert cast(int, _said(desk, "anthropic", "tokens")["input_tokens"]) > 11
    assert (len(provider.bill()), len(desk.ledger())) == (before, entries)


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small"])
def test_texts_become_vectors(tmp_path: Path, model: str) -> None:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["openai"]) as desk:
        said = _said(desk, "openai", "embeddings", model=model)
        assert said["vectors"] == 2
        assert cast(int, said["numbers"]) > 0
        as_billed(desk, provider)


REFUSED = [("openai", "refused_chat"), ("openai", "refused_responses"), ("anthropic", "refused")]


@pytest.mark.parametrize(("library", "case"), REFUSED)
def test_a_wrong_token_is_told_as_such(desk: Desk, library: str, case: str) -> None:
    said = _said(desk, library, case, token="sk-nobody")
    assert (said["type"], said["status"]) == ("AuthenticationError", 401)
    assert "stepfare token" in str(said["words"])


@pytest.mark.parametrize(("library", "case"), REFUSED)
def test_a_model_that_nobody_knows_is_refused_with_words(desk: Desk, library: str, case: str) -> None:
    said = _said(desk, library, case, model="no-such-model")
    assert (said["type"], said["status"]) == ("BadRequestError", 400)
    assert "no-such-model" in str(said["words"])
    assert "stepfare models" in str(said["words"])


@pytest.mark.parametrize(
    ("library", "case", "kind", "status"),
    [
        ("openai", "refused_chat", "APIStatusError", 402),
        ("openai", "refused_responses", "BadRequestError", 400),
        ("anthropic", "refused", "PaymentRequiredError", 402),
    ],
)
def test_a_budget_that_is_used_up_is_refused_in_each_clients_way(tmp_path: Path, library: str, case: str, kind: str, status: int) -> None:
    with desk_with_daemon(tmp_path, '[budget]\nday_usd = 0.000001\non_limit = "stop"\n') as desk:
        said = _said(desk, library, case)
        assert (said["type"], said["status"]) == (kind, status)
        assert "budget" in str(said["words"])


@pytest.mark.parametrize(("library", "case"), [("openai", "patient_chat"), ("anthropic", "patient")])
def test_a_provider_that_is_busy_once_is_not_noticed(tmp_path: Path, library: str, case: str) -> None:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["anthropic"]) as desk:
        provider.fault("429;retry-after=1")
        assert _said(desk, library, case)["retries"] == 0
        assert [line["outcome"] for line in provider.bill()] == ["status", "ok"]


@pytest.mark.parametrize(("library", "case"), [("openai", "patient_chat"), ("anthropic", "patient")])
def test_a_library_waits_as_long_as_it_is_told_where_everybody_is_busy(tmp_path: Path, library: str, case: str) -> None:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["anthropic"]) as desk:
        provider.fault(*["429;retry-after=1"] * 4)
        assert _said(desk, library, case)["retries"] == 1
        # The library's second try is the same step, and what it costs is booked once.
        assert [session.totals.steps for session in desk.sessions()] == [1]
        paid = [line["cost_pusd"] for line in provider.bill() if line["outcome"] == "ok"]
        assert [session.totals.spent_pusd for session in desk.sessions()] == paid


@pytest.mark.parametrize(("library", "kind"), [("openai", "APIConnectionError"), ("anthropic", "RemoteProtocolError")])
def test_a_stream_that_breaks_is_told_as_broken(tmp_path: Path, library: str, kind: str) -> None:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["deepseek"]) as desk:
        provider.fault("disconnect-after=25")
        said = _said(desk, library, "broken_stream")
        assert said["type"] in (kind, "APIError", "APIStatusError"), said


def test_the_books_of_all_that_are_those_of_the_provider(tmp_path: Path) -> None:
    cases = (("openai", "chat_tools"), ("openai", "responses_tools"), ("anthropic", "message_tools"), ("anthropic", "message_stream"))
    with simulator() as fresh, desk_with_providers(tmp_path, fresh, list(FAMILIES)) as desk:
        for library, case in cases:
            _said(desk, library, case)
        as_billed(desk, fresh)


def _said(desk: Desk, library: str, case: str, *, model: str = "", token: str = "") -> dict[str, object]:
    """What the case printed."""
    environment = {**desk.environment, "BASE_URL": f"{desk.address}/v1", "TOKEN": token or desk.token}
    if model:
        environment["MODEL"] = model
    python, script = SHELF.from_pypi("sdks") / "bin/python", SHELF.locks / "sdks" / f"{library}_client.py"
    done = subprocess.run(
        [str(python), str(script), case], env=environment, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False
    )
    assert done.returncode == 0, f"{library} {case}: {done.stderr}"
    return cast("dict[str, object]", json.loads(done.stdout))


def _inner(said: dict[str, object], key: str) -> dict[str, int]:
    return cast("dict[str, int]", said[key])
