"""What is known of a step, read from the end of the conversation and no further than needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

import pytest

from stepfare.core.request import Role, Text, ToolCall, ToolResult, Turn
from stepfare.core.step import ActionKind
from stepfare.steps.features import FILES_MAX, RECENT_MAX, features_of
from stepfare.steps.trail import TURNS_MET_MAX
from tests.steps.views import a_view, called, gave, system, user

FAILING = "E   assert 2 == 3\n1 failed in 0.1s"
PASSING = "3 passed in 0.1s"


class Watched(Sequence[Turn]):
    """Turns that remember which of them were looked at."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.seen: set[int] = set()

    def __len__(self) -> int:
        return len(self.turns)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | Sequence[Turn]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self.turns)))]
        self.seen.add(index % len(self.turns))
        return self.turns[index]

    def __iter__(self) -> Iterator[Turn]:
        return (self[place] for place in range(len(self.turns)))


def a_run(*results: str, command: str = "pytest -q") -> list[Turn]:
    """A command run so many times, with these results."""
    return [turn for place, text in enumerate(results) for turn in (called(f"r{place}", "bash", command=command), gave(f"r{place}", text))]


def test_a_long_conversation_is_read_at_its_end_and_beginning_only() -> None:
    turns = [system("Working directory: /home/dev/ws"), user("mend it")]
    for number in range(400):
        turns += [called(str(number), "read", path=f"{number}.py"), gave(str(number), "x")]
    watched = Watched(turns)
    seen = features_of(replace(a_view(*turns), turns=watched))
    assert len(watched.seen) <= TURNS_MET_MAX + 6
    assert len(seen.recent) == RECENT_MAX
    assert seen.recent[-1].paths == ("399.py",)
    assert seen.actions_since_human == TURNS_MET_MAX // 2
    assert seen.human_words == "mend it"


def test_the_head_is_read_once_for_all_steps_of_a_conversation() -> None:
    turns = [system("You are opencode.\nWorkspace root folder: /home/dev/once"), user("mend it")]
    turns += [turn for number in range(60) for turn in (called(str(number), "read", path="/home/dev/once/a.py"), gave(str(number), "x"))]
    view = replace(a_view(*turns), digests=tuple(b"once%12d" % number for number in range(len(turns))))
    first = features_of(view)
    watched = Watched(turns)
    assert features_of(replace(view, turns=watched)) == first
    assert first.client == "opencode"
    assert first.files == ("a.py",)
    assert 0 not in watched.seen


def test_the_constant_prompt_and_the_tools_count_for_nothing() -> None:
    turns = (user("mend it"), called("1", "read", path="a.py"), gave("1", "x"))
    small = features_of(a_view(system("rules"), *turns))
    large = features_of(a_view(system("rules " * 20_000), *turns, tools=[f"tool{number}" for number in range(60)]))
    assert small == large


def test_actions_before_the_humans_words_are_seen_but_not_counted() -> None:
    seen = features_of(a_view(user("first"), *a_run(PASSING), Turn(Role.ASSISTANT, (Text("done"),)), user("second")))
    assert [action.kind for action in seen.recent] == [ActionKind.TEST]
    assert (seen.actions_since_human, seen.human_words) == (0, "second")


def test_parallel_calls_are_actions_each_in_their_order() -> None:
    calls = Turn(Role.ASSISTANT, (Text("both"), ToolCall("1", "read", '{"path": "a"}'), ToolCall("2", "edit", '{"path": "b"}')))
    results = Turn(Role.USER, (ToolResult("2", "Error: no match"), ToolResult("1", "x")))
    seen = features_of(a_view(user("go"), calls, results))
    assert [(action.kind, action.paths, action.failed) for action in seen.recent] == [
        (ActionKind.READ, ("a",), False),
        (ActionKind.EDIT, ("b",), True),
    ]
    assert seen.actions_since_human == 2


@pytest.mark.parametrize(
    ("turns", "failures"),
    [
        (a_run(PASSING), 0),
        (a_run(FAILING), 1),
        (a_run(FAILING, FAILING, FAILING), 3),
        (a_run(FAILING, PASSING), 0),
        ([*a_run(FAILING), called("e", "edit", path="a"), gave("e", "ok"), *a_run(FAILING)], 2),
        ([*a_run(FAILING), called("e", "edit", path="a"), gave("e", "ok")], 1),
        ([*a_run(FAILING, FAILING), user("stop, look at b first")], 0),
        ([called("1", "edit", path="a"), gave("1", "no", failed=True), called("2", "edit", path="a"), gave("2", "no", failed=True)], 2),
        (a_run("Exit code 1", "Exit code 1", command="grep -rn nothing src"), 0),
    ],
)
def test_failures_count_until_something_passes_or_the_human_speaks(turns: list[Turn], failures: int) -> None:
    assert features_of(a_view(user("mend it"), *turns)).failures == failures


def test_files_are_relative_to_the_workspace_the_latest_first() -> None:
    turns = (
        system("Working directory: /home/dev/ws"),
        user("look at ./docs/plan.md, src\\win.py and https://example.org/x.html; see @src/at.ts"),
        called("1", "read", path="/home/dev/ws/src/a.py"),
        gave("1", "x"),
        called("2", "bash", command="cd src && ls && grep -n x ../lib/b.py util"),
        gave("2", "x"),
        called("3", "edit", path="/home/dev/wsx/c.py"),
        gave("3", "x"),
    )
    files = ("/home/dev/wsx/c.py", "lib/b.py", "src/a.py", "docs/plan.md", "src/win.py", "src/at.ts")
    assert features_of(a_view(*turns)).files == files


def test_files_are_bounded() -> None:
    named = " ".join(f"f{number}.py" for number in range(100))
    assert len(features_of(a_view(user(named))).files) == FILES_MAX


def test_a_completion_is_one_whatever_it_says() -> None:
    seen = features_of(a_view(user("You are a title generator"), tools=(), endpoint="completion"))
    assert (seen.completion, seen.side) == (True, "")


def test_texts_for_vectors_are_a_call_beside_the_loop_whatever_they_say() -> None:
    seen = features_of(a_view(user("You are a title generator"), tools=(), endpoint="embedding"))
    assert (seen.completion, seen.side) == (False, "embedding")


@pytest.mark.parametrize(
    ("turns", "headers", "side"),
    [
        ([system("billing"), system("You are naming a coding session"), user("<session>x</session>")], {}, "title"),
        ([user("x"), user("CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\ncreate a detailed summary")], {}, "compaction"),
        ([user("x"), user("You are performing a CONTEXT CHECKPOINT COMPACTION. Write a hand-over.")], {}, "compaction"),
        ([user("x")], {"x-codex-turn-metadata": json.dumps({"request_kind": "compaction"})}, "compaction"),
        ([user("x")], {"x-codex-turn-metadata": json.dumps({"request_kind": "prewarm"})}, "warm-up"),
        ([user("x")], {"x-codex-turn-metadata": json.dumps({"request_kind": "turn"})}, ""),
        ([system("You run a web search for another Claude model"), user("Perform a web search for the query: x")], {}, "web search"),
        ([user("why does my prompt say CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.?")], {}, ""),
        ([user("please reply with a title for the chat that is 3-4 words in length")], {}, ""),
    ],
)  # fmt: skip
def test_side_calls_are_known_by_their_own_words(turns: list[Turn], headers: dict[str, str], side: str) -> None:
    assert features_of(a_view(*turns, headers=headers)).side == side


def test_an_empty_conversation_is_borne() -> None:
    seen = features_of(a_view())
    assert (seen.recent, seen.human_words, seen.failures) == ((), "", 0)
