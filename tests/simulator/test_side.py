"""Calls beside the loop, plain questions, and what is read from a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepfare.simulator.options import MARK
from stepfare.simulator.play import play
from stepfare.simulator.reading import Message, Part, read_request
from stepfare.simulator.reply import capped
from stepfare.simulator.shapes import manual_tools
from stepfare.simulator.transcript import human_words, read_scene
from tests.simulator.clients import MANUAL, Continue


def request(*messages: dict[str, Any], **more: Any):
    return read_request(json.dumps({"model": "simulator/frugal", "messages": messages, **more}).encode())


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def test_a_title_is_short_marked_and_fits_sixteen_tokens() -> None:
    asked = request(
        user("Given the following... please reply with a title for the chat that is 3-4 words in length\n\nMend the parser of dates")
    )
    title = capped(play(asked), 16)
    assert title.text == f"{MARK}Mend the parser of"
    assert title.finish_reason == "stop"


def test_a_title_from_a_generator_names_the_human_words() -> None:
    told = play(
        request(system("You are a title generator. You output ONLY a thread title."), user("Generate a title:"), user('"Fix the build"'))
    )
    assert told.text == f"{MARK}Fix the build"


def test_a_title_as_json_keeps_the_schema() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    form = {"type": "json_schema", "json_schema": {"name": "title", "schema": schema}}
    told = play(request(system("You are naming a coding session."), user("Fix the build"), response_format=form))
    assert json.loads(told.text) == {"title": f"{MARK}Fix the build"}


def test_structured_output_is_valid_and_marked_wherever_text_is_free() -> None:
    schema = {
        "type": "object",
        "properties": {
            "words": {"type": "array", "items": {"type": "string"}},
            "kind": {"enum": ["good", "bad"]},
            "count": {"type": "integer"},
            "sure": {"type": "boolean"},
            "extra": {"type": "string"},
        },
        "required": ["words", "kind", "count", "sure"],
    }
    told = json.loads(play(request(user("Judge"), response_format={"type": "json_schema", "json_schema": {"schema": schema}})).text)
    assert told == {"words": [f"{MARK}No model read this."], "kind": "good", "count": 0, "sure": False}
    assert json.loads(play(request(user("Judge"), response_format={"type": "json_object"})).text)["answer"].startswith(MARK)


@pytest.mark.parametrize(
    "asked",
    [
        "Please provide a concise summary of our conversation so far, capturing the key context",
        "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools. Your task is to create a detailed summary of the conversation so far",
        "You are performing a CONTEXT CHECKPOINT COMPACTION.",
    ],
)
def test_a_summary_quotes_and_calls_no_tool(asked: str) -> None:
    told = play(request(user("Fix the parser"), {"role": "assistant", "content": "Done"}, user(asked), tools=Continue.tools))
    assert told.calls == ()
    assert told.text.startswith(MARK)
    assert '"Fix the parser"' in told.text


def test_a_snapshot_keeps_its_tags() -> None:
    told = play(
        request(system("You are the component that summarizes internal chat history"), user("x"), user("generate the <state_snapshot>."))
    )
    assert told.text.startswith(f"<state_snapshot>\n{MARK}")
    assert told.text.endswith("</state_snapshot>")


def test_a_commit_message_is_one_line() -> None:
    told = play(request(system("You generate concise, one-line Git commit messages."), user("diff --git a b")))
    assert told.text.startswith(MARK)
    assert "\n" not in told.text


def test_an_image_is_not_pretended_to_be_seen() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    told = play(request({"role": "user", "content": parts}))
    assert "cannot see your 1 image(s)" in told.text
    assert told.text.startswith(MARK)


def test_small_talk_gets_words_not_work() -> None:
    told = play(request(user("Hello!"), tools=Continue.tools))
    assert told.calls == ()


@pytest.mark.parametrize(
    ("content", "tagged", "words"),
    [
        ("Fix it", False, "Fix it"),
        ('<user_input mode="act">Fix it</user_input>', False, "Fix it"),
        ("Fix it\n<system-reminder>Do not</system-reminder>", False, "Fix it"),
        ("<environment_details>\n# Mode\n</environment_details>", False, ""),
        ("[SYSTEM] This run is not complete", False, ""),
        ("<task>\nFix it\n</task>\n\n# task_progress", True, "Fix it"),
        ("[read_file for 'a.py'] Result:\nx = 1", True, ""),
        ("[ERROR] You did not use a tool", True, ""),
        ("<feedback>\nNot like that\n</feedback>", True, "Not like that"),
    ],
)
def test_only_what_a_person_wrote_counts_as_a_task(content: str, tagged: bool, words: str) -> None:
    assert human_words(Message("user", content), only_tagged=tagged) == words


def test_parts_that_programs_add_are_left_out() -> None:
    message = Message("user", [Part("text", "Fix it"), Part("text", "<SYSTEM_NOTICE>\nEarlier context was compacted")])
    assert human_words(message, only_tagged=False) == "Fix it"


@pytest.mark.parametrize(
    ("messages", "planning"),
    [
        ([system("# Plan Mode\nNo edits."), user("x")], True),
        ([system("# Plan / Act Modes\nMessages arrive wrapped."), user("x")], False),
        ([system('<context name="planMode">Plan.</context>'), user("x")], True),
        ([system("s"), user("<task>x</task>\n# Current Mode\nPLAN MODE")], True),
        ([system("s"), user("<task>x</task>\n# Current Mode\nPLAN MODE"), user("y\n# Current Mode\nACT MODE")], False),
        ([system("s"), user("x <system-reminder>Plan mode is active.</system-reminder>")], True),
    ],
)
def test_plan_mode_in_every_form(messages: list[dict[str, Any]], planning: bool) -> None:
    assert read_scene(request(*messages, tools=Continue.tools)).planning is planning


@pytest.mark.parametrize(
    ("text", "cwd"),
    [
        ("4. Working Directory: /w/a\n</env>", "/w/a"),
        ("Current Working Directory: /w/a b", "/w/a b"),
        ("Working directory: /w/a/", "/w/a"),
        ("Workspace root folder: /w/a", "/w/a"),
        ("I'm currently working in the directory: /w/a", "/w/a"),
        ("no folder at all", ""),
    ],
)
def test_the_workspace_is_read_from_the_prompt(text: str, cwd: str) -> None:
    assert read_scene(request(system(text), user("x"), tools=Continue.tools)).box.cwd == cwd


def test_results_told_beside_missing_ones_are_found() -> None:
    """Classic Cline with native tools sends an empty tool message and tells the result in the user turn that follows."""
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.py"}'}}
    scene = read_scene(
        request(
            system("s"),
            user("<task>Explain a.py</task>"),
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "result missing"},
            {"role": "user", "content": [{"type": "text", "text": "[read_file for 'a.py'] Result:\nx = 1"}]},
            tools=Continue.tools,
        )
    )
    assert scene.task == "Explain a.py"
    assert [move.result.text for move in scene.moves] == ["x = 1"]


def test_a_result_whose_heading_stands_alone_is_in_the_next_part() -> None:
    told = [{"type": "text", "text": "[read_file for 'a.py'] Result:"}, {"type": "text", "text": "x = 1"}]
    classic = request(
        system(MANUAL.format(folder="/w")),
        user("<task>Explain a.py</task>"),
        {"role": "assistant", "content": "<read_file>\n<path>a.py</path>\n</read_file>"},
        {"role": "user", "content": told},
    )
    scene = read_scene(classic, manual_tools(classic.system))
    assert [move.result.text for move in scene.moves] == ["x = 1"]


def test_a_session_in_tags_is_named_by_its_beginning() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "title", "schema": schema}}
    rules = system("You are Claude Code.\nYou are naming a coding session from what its user wrote.")
    told = play(request(rules, user("<session>\nMend the parser of dates\nand more\n</session>\n\nReply."), response_format=form))
    assert json.loads(told.text) == {"title": f"{MARK}Mend the parser of"}


def test_notes_of_the_system_after_it_do_not_hide_what_is_asked() -> None:
    told = play(
        request(
            user("Fix the parser"),
            user("Your task is to create a detailed summary of the conversation so far."),
            system("<total_tokens>9 tokens left</total_tokens>"),
            tools=Continue.tools,
        )
    )
    assert told.calls == ()
    assert '"Fix the parser"' in told.text


def test_a_summary_in_the_users_name_quotes_too() -> None:
    told = play(request(system("*Briefly* summarize this partial conversation about programming."), user("# USER\nFix it"), user("Go")))
    assert '"# USER Fix it"' in told.text


def test_no_web_is_searched() -> None:
    told = play(request(user("Perform a web search for the query: python 3.14"), tools=Continue.tools))
    assert told.text == f"{MARK}No search was made: the simulator reaches no web."
    assert told.calls == ()


def test_a_commit_message_names_the_kind_and_the_files_within_its_bounds() -> None:
    rules = system("You are an expert software engineer that generates concise, one-line Git commit messages based on the provided diffs.")
    one = play(request(rules, user("# Diffs:\n--- a/shop/prices.py\n+++ b/shop/prices.py\n@@ -1 +1 @@\n-a\n+b")))
    assert one.text == f"{MARK}chore: update prices.py"
    many = play(request(rules, user("".join(f"+++ b/a/{'long' * 9}{number}.py\n" for number in range(3)))))
    assert many.text == f"{MARK}chore: update 3 files"


def test_after_a_compaction_the_quoted_words_are_the_task() -> None:
    summary = (
        "Another language model started to solve this problem and wrote:\n\n"
        + play(request(user("Fix the failing test"), user("You are performing a CONTEXT CHECKPOINT COMPACTION."))).text
    )
    assert read_scene(request(user(summary), tools=Continue.tools)).task == "Fix the failing test"


def test_plan_mode_is_over_once_the_system_said_so() -> None:
    said = [user("x"), system("Plan mode is active."), user("y"), system("## Exited Plan Mode\n\nGo.")]
    assert read_scene(request(*said[:3], tools=Continue.tools)).planning
    assert not read_scene(request(*said, tools=Continue.tools)).planning


COMPACT = user("You are performing a CONTEXT CHECKPOINT COMPACTION.")


def summarized(*messages: dict[str, Any], times: int) -> list[dict[str, Any]]:
    """The conversation as it is after so many summaries of it, each in place of all but the task."""
    for _ in range(times):
        told = play(request(*messages, COMPACT)).text
        messages = (messages[0], user(f"Another language model started to solve this problem:\n\n{told}"))
    return list(messages)


def test_a_window_that_is_too_small_ends_the_play_instead_of_summarizing_for_ever() -> None:
    few = play(request(*summarized(user("Fix the failing test"), times=3), tools=Continue.tools))
    many = play(request(*summarized(user("Fix the failing test"), times=4), tools=Continue.tools))
    assert few.calls
    assert many.calls == ()
    assert many.text.startswith(f"{MARK}This conversation was summarized 4 times without an end")


def test_new_words_of_the_human_begin_the_count_of_summaries_anew() -> None:
    old = summarized(user("Fix the failing test"), times=4)
    assert play(request(*old, user("Now fix the other test"), tools=Continue.tools)).calls
    told = play(request(*old, user("Now fix the other test"), COMPACT)).text
    assert "- Summaries since then: 1." in told
