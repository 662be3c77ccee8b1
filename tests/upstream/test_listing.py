"""Lists are fetched whole and with bounds, without a key, and whatever is wrong is said in words that tell what to do."""

from __future__ import annotations

import pytest
from aiohttp import web

from stepfare.upstream import listing
from stepfare.upstream.listing import NoList, openrouter_models, price_table
from tests.upstream.servers import serving


def page(*names: str, following: str = "") -> dict:
    pricing = {"prompt": "0.000001", "completion": "0.000002"}
    rows = [{"id": name, "context_length": 9_000, "pricing": pricing} for name in names]
    return {"data": rows, **({"links": {"next": following}} if following else {})}


async def why(path: str = "", answers: dict | None = None) -> str:
    async with serving(answers or {}) as server:
        with pytest.raises(NoList) as told:
            await openrouter_models(f"{server.url}{path}")
        assert "Prices stay as they are" in str(told.value)
        return str(told.value).replace(server.url, "URL")


async def test_a_list_is_fetched_page_by_page() -> None:
    async with serving({"/v1/models": page("a/b", following="/v1/more"), "/v1/more": page("a/c")}) as server:
        found = await openrouter_models(f"{server.url}/v1")
    assert [[model.name for model in one.models] for one in found] == [["a/b"], ["a/c"]]
    assert server.asked == ["/v1/models", "/v1/more"]


@pytest.mark.parametrize("following", ["http://elsewhere.example/models", "//elsewhere.example/x", "/v1/models", "file:///etc/passwd"])
async def test_a_list_does_not_lead_elsewhere_or_in_a_circle(following: str) -> None:
    async with serving({"/v1/models": page("a/b", following=following)}) as server:
        assert len(await openrouter_models(f"{server.url}/v1")) == 1


async def test_pages_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGES_MAX", 3)
    answers = {f"/v1/{number}": page(f"a/{number}", following=f"/v1/{number + 1}") for number in range(9)}
    async with serving({**answers, "/v1/models": page("a/b", following="/v1/0")}) as server:
        assert len(await openrouter_models(f"{server.url}/v1")) == 3


async def test_what_cannot_be_used_is_said() -> None:
    assert await why() == "URL/models answered 404. Prices stay as they are; try again later."
    assert "it is not JSON" in await why("/v1", {"/v1/models": "<html>"})
    moved = web.Response(status=302, headers={"location": "http://elsewhere.example/"})
    assert "answered 302" in await why("/v1", {"/v1/models": moved})


async def test_a_list_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LIST_BYTES_MAX", 1_000)
    assert "longer than 1,000 bytes" in await why("/v1", {"/v1/models": "x" * 2_000})


async def test_nobody_there_and_nobody_answering_is_said(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    with pytest.raises(NoList, match="cannot be reached"):
        await openrouter_models(f"http://127.0.0.1:{unused_tcp_port}/v1")
    monkeypatch.setattr(listing, "LIST_S", 0.2)
    async with serving({}) as server:
        server.silent = True
        with pytest.raises(NoList, match=r"did not answer within 0.2 s"):
            await openrouter_models(f"{server.url}/v1")


async def test_a_table_is_fetched_as_text() -> None:
    async with serving({"/t.json": "{}", "/b.json": web.Response(body=b"\xff\xfe")}) as server:
        assert await price_table(f"{server.url}/t.json") == "{}"
        with pytest.raises(NoList, match="is no text"):
            await price_table(f"{server.url}/b.json")
