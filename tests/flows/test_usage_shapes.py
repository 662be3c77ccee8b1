"""What providers report of their use, in the exact form of each, through a whole daemon into the books: to the picodollar as worked out by
hand, and as they billed themselves. Each file of tests/cases/usage is one answer, with the arithmetic beside it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.core.entry import Settled
from stepfare.core.money import PUSD_PER_USD, Usage, usd_text
from stepfare.providers.prices import BUNDLED
from tests.fakes.provider import Play
from tests.flows.conftest import Running, Start

FOLDER = Path(__file__).parent.parent / "cases" / "usage"
CASES: dict[str, dict[str, Any]] = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.toml"))}

LOCAL = {"ollama", "lmstudio", "llamacpp", "vllm"}
DIALECTS = {"anthropic": "anthropic", "responses": "responses", "openai": "openai", "completions": "openai"}
PATHS = {"openai": "chat/completions", "anthropic": "messages", "responses": "responses", "completions": "completions"}
FIELDS = {
    **{count: f"{count}_tokens" for count in ("input", "cache_read", "cache_write", "output", "cache_write_1h", "reasoning", "audio")},
    "searches": "web_searches",
}
"""What a case calls a count of `Usage`."""
BILL_SHARE_MAX = Decimal("0.001")
WINDOW_TOKENS = 1_000_000


def price_table(case: dict[str, Any]) -> str:
    """The table that ships, with the prices of this case in it: what a model costs may change, what it did cost may not."""
    table = json.loads(BUNDLED.read_text(encoding="utf-8"))
    models = table["providers"].setdefault(case["provider"], {})
    for name, price in {case["model"]: case.get("price"), **case.get("others", {})}.items():
        if price is not None:
            earlier = [case["before"]] if "before" in case and name == case["model"] else []
            models[name] = {"window": WINDOW_TOKENS, "can": ["tools"], "prices": [*earlier, price]}
    return json.dumps(table)


def settings(case: dict[str, Any]) -> str:
    """This provider, at the address of the fake one. One that the catalogue lacks says what it speaks."""
    provider = case["provider"]
    key = "" if provider in LOCAL else 'api_key = "env:LAB_KEY"\n'
    dialect = f'dialect = "{case.get("dialect", "openai")}"\n' if "dialect" in case or provider == "gateway" else ""
    return f'[providers.{provider}]\nbase_url = "{{base_url}}"\n{key}{dialect}'


def question(case: dict[str, Any]) -> dict[str, Any]:
    name = case.get("asked", f"{case['provider']}/{case['model']}")
    body: dict[str, Any] = {"model": name, "stream": "stream" in case, **case.get("ask", {})}
    match case.get("client", "openai"):
        case "responses":
            return {**body, "input": "What does this do?"}
        case "completions":
            return {**body, "prompt": "def fib(n):", "suffix": "\nprint(fib(3))", "max_tokens": 64}
        case "anthropic":
            return {**body, "max_tokens": 4000, "messages": [{"role": "user", "content": "What does this do?"}]}
        case _:
            return {**body, "messages": [{"role": "user", "content": "What does this do?"}]}


def told_usd(headers: Mapping[str, str], text: str) -> str | None:
    """What the client is told that the answer cost: in the last comment of a stream, else in a header."""
    comments = [json.loads(line.removeprefix(": stepfare ")) for line in text.splitlines() if line.startswith(": stepfare {")]
    return comments[-1]["cost_usd"] if comments else headers.get("x-stepfare-cost-usd")


async def booked(start: Start, case: dict[str, Any], home: Path) -> tuple[Settled, str | None]:
    """The one entry that is booked of this answer, and the cost that its client was told."""
    home.mkdir()
    (home / "catalogue.json").write_text(price_table(case), encoding="utf-8")
    text = case.get("stream") or case["body"]
    media = "text/event-stream" if "stream" in case else "application/json"
    play = Play(content_type=media, pieces=[text.lstrip("\n").encode()], cut=case.get("cut", False))
    running: Running = await start(play, settings=settings(case), home=home)
    path = PATHS[case.get("client", "openai")]
    headers = running.headers()
    async with running.client.post(f"{running.url}/v1/{path}", json=question(case), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        told = None
        with pytest.raises(aiohttp.ClientPayloadError) if case.get("cut") else nullcontext():
            told = told_usd(answer.headers, await answer.text())
    await running.house.books.finish()
    entries = [row.entry async for batch in running.house.store.entries() for row in batch]
    (settled,) = [entry for entry in entries if isinstance(entry, Settled)]
    assert settled.catalogue == running.house.state.play.catalog.catalogue_version
    return settled, told


@pytest.mark.parametrize("name", CASES)
async def test_what_is_booked_is_what_was_worked_out_by_hand(start: Start, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    entry, told = await booked(start, case, tmp_path / "home")
    assert entry.source == case.get("source", "usage-priced")
    assert entry.confidence == case.get("confidence", "certain")
    # Whoever is less than certain says why; who is, has nothing to say.
    assert bool(entry.doubts) == (entry.confidence in ("likely", "guess")), entry.doubts
    # The client is told what is booked, and nothing where nothing is known: clients take a 0 for a price.
    assert told == (None if entry.cost_pusd is None or case.get("cut") else usd_text(entry.cost_pusd))
    if "used" in case:
        assert entry.usage == Usage(**{FIELDS[count]: number for count, number in case["used"].items()})
    if "truth_pusd" in case:
        assert entry.low_pusd is not None
        assert entry.high_pusd is not None
        assert entry.low_pusd <= case["truth_pusd"] <= entry.high_pusd
        assert entry.low_pusd <= (entry.cost_pusd or 0) <= entry.high_pusd
        return
    assert entry.cost_pusd == case.get("cost_pusd")
    if "bill_usd" in case:
        bill = Decimal(case["bill_usd"]) * PUSD_PER_USD
        assert abs(bill - (entry.cost_pusd or 0)) <= BILL_SHARE_MAX * bill


@pytest.mark.parametrize("name", CASES)
def test_the_arithmetic_of_a_case_is_right_and_complete(name: str) -> None:
    case = CASES[name]
    assert set(case) <= {
        *("what", "after", "provider", "dialect", "client", "model", "asked", "ask", "price", "before", "others", "stream", "body", "cut"),
        *("used", "sum", "cost_pusd", "source", "confidence", "bill_usd", "truth_pusd"),
    }
    assert case["what"].endswith(".")
    assert ("cost_pusd" in case) + ("truth_pusd" in case) + (case.get("source") == "unpriced") == 1
    assert sum(count * rate for count, rate, _ in case.get("sum", ())) == case.get("cost_pusd", 0)
    if case.get("source", "usage-priced") == "usage-priced":
        # Every token of the usage is in the sum, once.
        used = case["used"]
        assert sum(count for count, _, _ in case["sum"]) == used["input"] + used["output"] + used.get("searches", 0)


WRONG_ELSEWHERE = {
    *(f"BerriAI/litellm#{number}" for number in (8514, 11364, 14849, 15338, 16341, 21023, 34801, 35290, 37407, 42663)),
    *(f"cline/cline#{number}" for number in (1752, 7946, 11494, 13733)),
    *("ryoppippi/ccusage#1440", "ryoppippi/ccusage#1728", "nicknisi/sessions#21", "siropkin/budi ADR-0091"),
    *("RooCodeInc/Roo-Code#1451", "musistudio/claude-code-router#1790"),
}
"""Numbers that users of other programs have found to be wrong. Calls that their clients broke off are in `test_hang_up_bill`."""


def test_what_was_wrong_elsewhere_is_right_here() -> None:
    assert {case["after"] for case in CASES.values() if "after" in case} >= WRONG_ELSEWHERE


def test_there_are_as_many_as_were_promised() -> None:
    assert len(CASES) >= 60
    assert {case["provider"] for case in CASES.values()} >= {
        *("openai", "anthropic", "google", "deepseek", "xai", "openrouter", "mistral", "moonshot", "qwen", "groq", "zai", "azure"),
        *("ollama", "llamacpp", "vllm", "lmstudio"),
    }
