"""The human's words among all that programs write in their place."""

from __future__ import annotations

import pytest

from stepfare.steps.envelopes import TURNS_SCANNED_MAX, WORDS_CHARS_MAX, human_words, words_of
from tests.steps.views import called, gave, system, user

HUMAN = [
    ("mend it", "mend it"),
    ("<task>\nmend it\n</task>\n\n<environment_details>\n# Current Mode\nACT MODE\n</environment_details>", "mend it"),
    ("<system-reminder>be brief</system-reminder>\nmend it", "mend it"),
    ('<user_input mode="act">mend it</user_input>', "mend it"),
    ("[attempt_completion] Result:\n<feedback>\nnot yet\n</feedback>", "not yet"),
    ("[TASK RESUMPTION] This task was interrupted.\n\nNew instructions:\n<user_message>\ngo on with b\n</user_message>", "go on with b"),
    ('"mend it"', "mend it"),
    ('say "a" or "b"', 'say "a" or "b"'),
    (
        "<command-message>review</command-message>\n<command-name>/review</command-name>\n<command-args>the last commit</command-args>",
        "the last commit",
    ),
    ("<command-message>review</command-message>\n<command-name>/review</command-name>", "/review"),
    ("is a < b and b > c?", "is a < b and b > c?"),
]
MACHINE = [
    "",
    "[read_file for 'a.py'] Result:\nx = 1",
    "<environment_details>\nx\n</environment_details>",
    "<system-reminder>\nunclosed",
    "[SYSTEM] This run is not complete until you call submit_and_exit.",
    "[ERROR] You did not use a tool in your previous response!",
    "TODO LIST UPDATE REQUIRED - You MUST include the task_progress parameter",
    "<task-notification>done</task-notification>",
    "<command-name>/exit</command-name>\n<command-message>exit</command-message>\n<command-args></command-args>",
    "<local-command-stdout>Bye!</local-command-stdout>",
    "<environment_context>\n<cwd>/home/dev/ws</cwd>\n</environment_context>",
    "# AGENTS.md instructions for /home/dev/ws\n\nbe brief",
    "This session is being continued from a previous conversation that ran out of context.",
    "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.",
    "This is the Qwen Code. We are setting up the context for our chat.",
    "result missing",
]


@pytest.mark.parametrize(("text", "words"), HUMAN)
def test_envelopes_are_taken_off(text: str, words: str) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", MACHINE)
def test_what_programs_write_is_nobodys_word(text: str) -> None:
    assert words_of(text) == ""


def test_the_last_human_turn_is_found_before_results_and_reminders() -> None:
    turns = [
        system("rules"),
        user("first"),
        called("1", "read", path="a"),
        gave("1", "x"),
        user("second"),
        called("2", "read", path="b"),
        gave("2", "y"),
        user("<system-reminder>note</system-reminder>"),
    ]
    assert human_words(turns) == ("second", 4)


def test_a_refusal_with_words_is_the_humans() -> None:
    refusal = "The user doesn't want to proceed with this tool use. The tool use was rejected. To proceed, the user said:\nuse b instead"
    assert human_words([user("first"), called("1", "edit", path="a"), gave("1", refusal, failed=True)]) == ("use b instead", 2)


def test_far_back_the_first_words_stand_for_the_last() -> None:
    turns = [system("rules"), user("first"), user("second")]
    for number in range(TURNS_SCANNED_MAX):
        turns += [called(str(number), "read", path="a"), gave(str(number), "x")]
    assert human_words(turns) == ("first", 1)
    assert human_words([system("rules")]) == ("", -1)


def test_long_words_are_cut() -> None:
    assert len(human_words([user("a" * 100_000)])[0]) == WORDS_CHARS_MAX
