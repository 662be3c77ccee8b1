"""A project's file changes the next decision without a restart, and every decision names the line that took part."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.provider import Play, stream
from tests.flows.conftest import Running, Start, ask

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"path": {}, "content": {}}}}}
    for name in ("read_file", "write_to_file")
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    return folder


def working(project: Path, text: str = "Fix it please", edited: str = "src/app.py") -> dict:
    """A conversation whose last actions were edits, so that another edit is to be expected."""
    call = {
        "id": "call_{0}",
        "type": "function",
        "function": {"name": "write_to_file", "arguments": f'{{"path":"{edited}","content":"x"}}'},
    }
    turns: list[dict] = [{"role": "system", "content": f"Working directory: {project}"}, {"role": "user", "content": text}]
    for number in range(3):
        made = {**call, "id": f"call_{text}_{number}"}
        turns += [
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": made["id"], "content": "done"},
        ]
    return {**ask(), "messages": turns, "tools": TOOLS}


AN_EDIT = stream(call=("call_made", "write_to_file", '{"path":"src/app.py","content":"y"}'))


async def served(running: Running, body: dict) -> str:
    """The model whose answer the client saw."""
    async with running.chat(body) as answer:
        assert answer.status == 200, await answer.text()
        await answer.text()
        return answer.headers["x-stepfare-model"]


async def decided(running: Running, body: dict) -> dict:
    async with running.chat(body) as answer:
        assert answer.status == 200, await answer.text()
        await answer.text()
        status, decision = await running.control("GET", f"decisions/{answer.headers['x-stepfare-decision']}")
    assert status == 200
    return decision


async def test_steps_of_the_project_file_set_the_floor_and_the_line_is_cited(start: Start, project: Path) -> None:
    running = await start(AN_EDIT)
    before = await decided(running, working(project))
    assert (before["kind"], before["floors"]["edit"]["tier"], before["floors"]["edit"]["source"]) == ("edit", "balanced", "settings")
    (project / ".stepfare.toml").write_text('# ours\n[steps]\nedit = "premium"\n')
    after = await decided(running, working(project, "another task"))
    assert after["floors"]["edit"] == {"tier": "premium", "source": "dotfile", "words": ".stepfare.toml:3 sets edit to premium"}
    assert after["gate"] == {"on": True, "needs": "premium", "hold_ms": 8000}
    assert await served(running, working(project, "a third task")) == "lab/large"


async def test_a_path_floor_lifts_the_steps_that_touch_those_files(start: Start, project: Path) -> None:
    running = await start(stream())
    (project / ".stepfare.toml").write_text('[[paths]]\nmatch = ["migrations/**"]\nfloor = "premium"\n')
    elsewhere = await decided(running, working(project, "one"))
    inside = await decided(running, working(project, "two", edited="migrations/0042_add.sql"))
    assert elsewhere["floors"]["edit"]["tier"] == "balanced"
    assert inside["floor"]["tier"] == "premium"
    assert inside["floor"]["words"].startswith(".stepfare.toml:2 asks for premium on migrations/**")


async def test_what_was_spent_on_a_file_is_told(start: Start, project: Path) -> None:
    paths = ("src/app.py", f"{project}/src/app.py", "/etc/hosts", "../outside.py")
    running = await start(*(stream(call=("c", "write_to_file", json.dumps({"path": path, "content": "y"}))) for path in paths))
    for path in paths:
        async with running.chat(working(project, path), x_stepfare_tier="premium") as answer:
            assert answer.status == 200
            await answer.read()
    _, sessions = await running.control("GET", "sessions")
    costs = [one["totals"]["spent_pusd"] for one in reversed(sessions["sessions"])]
    status, told = await running.control("GET", f"files?project={project}&since_ms=0")
    assert (status, told["project"]) == (200, str(project))
    assert told["files"] == [{"file": "src/app.py", "steps": 2, "spent_pusd": costs[0] + costs[1]}]
    assert min(costs) > 0


async def test_a_denied_model_is_passed_over_with_the_rule_that_denies_it(start: Start, project: Path) -> None:
    running = await start(AN_EDIT)
    (project / ".stepfare.toml").write_text('[models]\ndeny = ["lab/mid*"]\n')
    decision = await decided(running, working(project))
    assert await served(running, working(project, "another task")) == "lab/large"
    (no,) = [one for one in decision["rejections"] if one["model"] == "lab/middle"]
    assert no["reason"] == "denied"
    assert ".stepfare.toml:2" in no["words"]


async def test_a_reached_budget_is_402_and_names_the_line(start: Start, project: Path) -> None:
    running = await start(stream())
    (project / ".stepfare.toml").write_text('[budget]\nsession_usd = 0.001\non_limit = "stop"\n')
    async with running.chat(working(project)) as answer:
        assert answer.status == 402
        error = (await answer.json())["error"]
    assert error["code"] == "budget_reached"
    assert ".stepfare.toml:2" in error["message"]
    assert not running.provider.asked


async def test_at_the_limit_frugal_goes_on_with_frugal_models(start: Start, project: Path) -> None:
    running = await start(stream())
    (project / ".stepfare.toml").write_text('[budget]\nsession_usd = 0.000001\non_limit = "frugal"\n')
    decision = await decided(running, working(project))
    assert decision["chosen"] == "lab/small"
    assert decision["floor"]["source"] == "budget"
    assert ".stepfare.toml:2" in decision["floor"]["words"]


async def test_64_calls_at_once_never_pass_a_cap(start: Start, project: Path) -> None:
    running = await start(stream(before_s=0.05))
    (project / ".stepfare.toml").write_text('[budget]\nday_usd = 0.05\non_limit = "stop"\n')

    async def one(number: int) -> int:
        async with running.chat(working(project, f"task {number}")) as answer:
            await answer.read()
            return answer.status

    statuses = await asyncio.gather(*(one(number) for number in range(64)))
    assert set(statuses) == {200, 402}
    _, overview = await running.control("GET", "overview")
    assert 0 < overview["today"]["spent_pusd"] <= 50_000_000_000


async def test_64_steps_that_turn_out_to_need_more_never_pass_a_cap(start: Start, project: Path) -> None:
    """Each of them was decided when there was room for all of them."""
    edits = [Play(pieces=[*AN_EDIT.pieces[:3], *AN_EDIT.pieces[3:]], before_s=0.2)]
    running = await start(*edits)
    (project / ".stepfare.toml").write_text('[budget]\nday_usd = 1.0\non_limit = "stop"\n')
    most = 0

    async def one(number: int) -> int:
        nonlocal most
        async with running.chat(working(project, f"task {number}")) as answer:
            await answer.read()
            most = max(most, running.house.state.budgets.day.used().pusd)
            return answer.status

    statuses = await asyncio.gather(*(one(number) for number in range(64)))
    assert set(statuses) == {200, 402}
    assert 0 < most <= 1_000_000_000_000


async def test_a_broken_project_file_keeps_the_last_good_rules_and_shows_where(start: Start, project: Path) -> None:
    running = await start(stream())
    dotfile = project / ".stepfare.toml"
    dotfile.write_text('[steps]\nedit = "premium"\n')
    assert (await decided(running, working(project, "a")))["floors"]["edit"]["tier"] == "premium"
    dotfile.write_text('[steps]\nedit = "premium\n')
    assert (await decided(running, working(project, "b")))["floors"]["edit"]["tier"] == "premium"
    _, overview = await running.control("GET", "overview")
    (problem,) = [one for one in overview["problems"] if one["source"] == str(dotfile)]
    assert problem["line"] == 2


async def test_a_forbidden_key_is_ignored_and_said(start: Start, project: Path) -> None:
    running = await start(stream())
    (project / ".stepfare.toml").write_text('base_url = "http://evil.example"\n[steps]\nedit = "premium"\n')
    assert (await decided(running, working(project)))["floors"]["edit"]["tier"] == "premium"
    _, overview = await running.control("GET", "overview")
    assert any("base_url" in problem["words"] for problem in overview["problems"])


async def test_a_change_of_the_project_file_is_announced_without_a_request(start: Start, project: Path) -> None:
    running = await start(stream())
    await decided(running, working(project))
    seq = running.house.hub.seq
    (project / ".stepfare.toml").write_text('[steps]\nedit = "premum"\n')
    with running.house.hub.listen(seq) as next_event:
        event = await asyncio.wait_for(next_event(), 10)
    assert event is not None
    assert event.kind == "settings"
    _, overview = await running.control("GET", "overview")
    assert any("premum" in problem["words"] or problem["line"] == 2 for problem in overview["problems"])


async def test_workspace_project_and_branch_stand_on_the_session(start: Start, project: Path) -> None:
    running = await start(stream())
    (project / "deep").mkdir()
    await decided(running, working(project / "deep"))
    session = (await running.last_session())["session"]
    assert (session["workspace"], session["project"], session["branch"]) == (str(project / "deep"), str(project), "feature/x")
    assert session["title"] == "Fix it please"
