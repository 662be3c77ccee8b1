"""The control API's own document says what the control API does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepfare.control import protocol
from stepfare.server.control import routes
from tests.fakes.provider import stream
from tests.flows.conftest import Start, ask

ROOT = "/control/v1/"


def refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (ref for key, ref in value.items() if key == "$ref")
        for each in value.values():
            yield from refs_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from refs_in(each)


async def test_every_address_is_in_the_document_with_its_messages_and_nothing_else_is(start: Start) -> None:
    running = await start(stream(), more="[budget]\nday_usd = 5\n")
    async with running.chat(ask(model="balanced")) as answer:
        session = answer.headers["x-stepfare-session"]
        await answer.text()
    other = "other"
    for _ in range(2):
        async with running.chat(ask("Another task", model="balanced"), x_stepfare_session=other) as answer:
            assert answer.headers["x-stepfare-session"] == other
            await answer.text()
    status, told = await running.control("GET", "openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    schemas = told["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in refs_in(told)} <= set(schemas)
    named = [(path, method, one) for path, methods in told["paths"].items() for method, one in methods.items()]
    assert len({one["operationId"] for _, _, one in named}) == len(named)
    for path, _, one in named:
        assert set(re.findall(r"\{(\w+)\}", path)) == {each["name"] for each in one["parameters"] if each["in"] == "path"}
        assert one["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("/Failure")

    places: dict[str, str] = {
        "budgets/{scope}": "budgets/day",
        "sessions/{id}": f"sessions/{session}",
        "sessions/{id}/title": f"sessions/{session}/title",
        "sessions/{id}/merge": f"sessions/{session}/merge",
        "sessions/{id}/pin": f"sessions/{session}/pin",
        "files": "files?project=/srv",
        "sessions/{id}/split": f"sessions/{other}/split",
        "decisions/{id}": "decisions/last",
        "workspaces/{id}": "workspaces/srv",
    }
    bodies: dict[str, Any] = {
        "put workspaces/{id}": {"root": "/srv"},
        "put sessions/{id}/title": {"title": "Mine"},
        "put sessions/{id}/merge": {"into": other},
        "put sessions/{id}/pin": {"tier": "premium"},
        "post sessions/{id}/split": {"step": 2},
        "put budgets/{scope}": {"pusd": 5},
        "post decide": {"body": ask()},
    }
    asked = 0
    for path, method, one in named:
        short = str(path).removeprefix(ROOT)
        if short in ("events", "openapi.json", "budgets/{scope}/{subject}"):
            continue
        status, body = await running.control(method.upper(), places.get(short, short), bodies.get(f"{method} {short}"))
        assert status == 200, (path, body)
        message = one["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        getattr(protocol, message).model_validate(body)
        assert set(schemas[message].get("required", ())) <= set(body) <= set(schemas[message]["properties"]), path
        asked += 1
    assert asked >= 12
    routed = {(route.method.lower(), f"{ROOT}{re.sub(r':[^}]*', '', route.path)}") for route in routes()}
    assert {(method, path) for path, method, _ in named} == routed
