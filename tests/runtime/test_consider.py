"""From a request to a decision: session, step number, workspace and refusals of names, with nothing sent and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepfare.core.entry import Opened, Reserved, Voided
from stepfare.core.step import StepKind, Tier
from stepfare.dialects.openai_chat import read_request
from stepfare.runtime.consider import Asked, UnknownModel, consider
from stepfare.runtime.state import State
from stepfare.runtime.told import record_of
from tests.routing.samples import NOW_MS
from tests.runtime.samples import a_state

HELLO = [{"role": "user", "content": "Fix the failing test"}]


def considered(state: State, messages: object = HELLO, *, headers: dict[str, str] | None = None, root: str = "", **fields: object) -> Asked:
    view = read_request(json.dumps({"model": "auto", "messages": messages, **fields}).encode(), headers or {})
    return consider(view, state, now_ms=NOW_MS, new_session="s_new", decision_id="d1", root=root)


def reserve(state: State, made: Asked) -> None:
    """What the exchange posts before it sends."""
    view = made.view
    if made.new:
        state.apply(Opened(made.session.id, NOW_MS, made.features.client, made.workspace.root, made.workspace.project, "", "t"))
    state.apply(
        Reserved(
            f"a{made.step}",
            "d1",
            made.session.id,
            made.step,
            NOW_MS,
            "lab/small",
            "frugal",
            "explore",
            "frugal",
            "settings",
            5,
            made.features.client,
            turns=len(view.turns),
            chain=made.identity.chain,
            body=view.body_digest.hex(),
            body_bytes=len(view.raw),
        )
    )


def test_a_first_request_opens_a_session_and_changes_nothing_by_itself() -> None:
    state = a_state()
    made = considered(state)
    assert (made.session.id, made.new, made.step, made.decision.id, made.decision.session) == ("s_new", True, 1, "d1", "s_new")
    assert state.sessions.newest_first() == []


def test_the_next_request_is_the_next_step_of_the_session() -> None:
    state = a_state()
    reserve(state, considered(state))
    made = considered(state, [*HELLO, {"role": "assistant", "content": "Look"}, {"role": "user", "content": "out"}])
    assert (made.session.id, made.new, made.step) == ("s_new", False, 2)


def test_a_retry_keeps_the_number_of_its_step_although_others_came_between() -> None:
    state = a_state()
    headers = {"x-stepfare-session": "mine"}
    first = considered(state, headers=headers)
    reserve(state, first)
    reserve(state, considered(state, [{"role": "user", "content": "Another"}], headers=headers))
    state.apply(Voided("a1", "mine", NOW_MS, "busy", "no"))
    assert considered(state, headers=headers).step == 1
    assert considered(state, [{"role": "user", "content": "A third"}], headers=headers).step == 3


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("gpt-nonsense", 'model "gpt-nonsense" is not known here. Use a profile (auto, frugal, balanced, careful, premium'),
        ("auto2", "stepfare models"),
    ],
)
def test_a_name_that_nobody_knows_is_refused_with_what_may_be_named(model: str, words: str) -> None:
    with pytest.raises(UnknownModel) as told:
        considered(a_state(), model=model)
    assert words in str(told.value)
    assert "lab/small" in str(told.value)


def test_a_model_is_served_as_it_is_named() -> None:
    made = considered(a_state(), model="lab/large")
    assert [row.candidate.model.id for row in made.decision.ranked] == ["lab/large"]
    assert made.decision.floor.source == "model"


@pytest.mark.parametrize("by", ["header", "prompt", "caller"])
def test_a_projects_file_holds_for_the_workspace_that_the_request_names(tmp_path: Path, by: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".stepfare.toml").write_text('[steps]\nanswer = "premium"\nexplore = "premium"\nedit = "premium"\n')
    sub = tmp_path / "sub"
    sub.mkdir()
    system = {"role": "system", "content": f"<env>\n4. Working Directory: {sub}\n</env>"}
    headers = {"x-stepfare-workspace": str(sub)} if by == "header" else {}
    made = considered(a_state(), [system, *HELLO] if by == "prompt" else HELLO, headers=headers, root=str(sub) if by == "caller" else "")
    assert (made.workspace.root, made.workspace.project) == (str(sub), str(tmp_path))
    assert made.decision.floor.tier is Tier.PREMIUM
    assert made.decision.floor.words.startswith(".stepfare.toml:")


def test_a_call_that_names_no_workspace_is_held_to_that_of_its_session(tmp_path: Path) -> None:
    (tmp_path / ".stepfare.toml").write_text('[models]\ndeny = ["lab/small"]\n')
    state = a_state()
    headers = {"x-stepfare-session": "mine"}
    reserve(state, considered(state, headers=headers | {"x-stepfare-workspace": str(tmp_path)}))
    made = considered(state, [{"role": "user", "content": "Another"}], headers=headers)
    assert made.workspace.root == str(tmp_path)
    assert "lab/small" not in [row.candidate.model.id for row in made.decision.ranked]
    assert considered(state, HELLO, model="lab/small", headers=headers).decision.rejections[0].reason == "denied"


def test_files_in_play_are_seen_from_the_folder_of_the_projects_file(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".stepfare.toml").write_text('[[paths]]\nmatch = ["app/migrations/**"]\nfloor = "premium"\n')
    sub = tmp_path / "app"
    sub.mkdir()
    words = [{"role": "user", "content": "Please fix migrations/001.sql"}]
    made = considered(a_state(), words, root=str(sub))
    assert made.features.files == ("app/migrations/001.sql",)
    assert (made.decision.floor.tier, made.decision.floor.source) == (Tier.PREMIUM, "path")


def test_half_a_character_in_a_path_can_be_told(tmp_path: Path) -> None:
    (tmp_path / ".stepfare.toml").write_text('[[paths]]\nmatch = ["**"]\nfloor = "premium"\n')
    arguments = json.dumps({"path": "src/\ud83d.py", "new_text": "x"})
    call = {"id": "c1", "type": "function", "function": {"name": "editor", "arguments": arguments}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
    ]
    tools = [{"type": "function", "function": {"name": "editor", "parameters": {"properties": {"path": {}, "new_text": {}}}}}]
    made = considered(a_state(), messages, root=str(tmp_path), tools=tools)
    assert made.decision.floor.source == "path"
    assert b"src/?.py" in record_of(made.decision)


def test_a_side_call_is_known_as_one() -> None:
    state = a_state()
    reserve(state, considered(state))
    title = [{"role": "user", "content": "Given the following... please reply with a title for the chat that is 3-4 words in length"}]
    made = considered(state, title)
    assert (made.session.id, made.features.side, made.decision.step.kind) == ("s_new", "title", StepKind.SIDE)
