"""Responses as a prompt: what is read of a client's request, what is told as a loss, and how a prompt is said in this format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.prompt import (
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    OutputForm,
    Prompt,
    ResultPart,
    TextPart,
    Thought,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import Role
from stepfare.dialects.care import Care
from stepfare.dialects.responses_input import NOT_KEPT, items_for, losses, write_prompt
from stepfare.dialects.responses_prompt import read_prompt
from stepfare.dialects.responses_request import read_request
from stepfare.dialects.thoughts import digest_of

CASES = Path(__file__).resolve().parents[1] / "cases" / "responses"
NAMES = sorted(path.stem for path in CASES.glob("*.json"))
CARE = Care("lab/thinker", "thinker", 8_000)


def prompt_of(items: object = "Hi", **fields: object) -> Prompt:
    return read_prompt(read_request(json.dumps({"model": "auto", "input": items, **fields}).encode(), {}))


def case(name: str) -> Prompt:
    return read_prompt(read_request((CASES / f"{name}.json").read_bytes(), {}))


def written(prompt: Prompt, care: Care = CARE) -> dict[str, Any]:
    return json.loads(write_prompt(prompt, care).body())


def input_of(*messages: Message) -> list[Any]:
    return [json.loads(item) for item in items_for(messages)]


def kinds(message: Message) -> list[str]:
    return [type(part).__name__ for part in message.parts]


def test_codex_is_read_turn_by_turn() -> None:
    prompt = case("codex_namespace_and_image")
    assert [message.role for message in prompt.messages][:4] == [Role.SYSTEM, Role.SYSTEM, Role.USER, Role.USER]
    answers = [kinds(message) for message in prompt.messages if message.role is Role.ASSISTANT]
    assert answers == [["ThoughtPart", "CallPart"], ["TextPart", "CallPart", "CallPart"], ["ThoughtPart", "CallPart"], ["CallPart"]]
    assert [kinds(message) for message in prompt.messages if message.role is Role.TOOL] == [
        ["ResultPart"],
        ["ResultPart"] * 2,
        *[["ResultPart"]] * 2,
    ]
    (thought,) = [part.thought for part in prompt.messages[4].parts if isinstance(part, ThoughtPart)]
    assert (thought.dialect, thought.text[:11]) == ("responses", "**Looking a")
    assert thought.digest == digest_of(json.loads(thought.raw)["encrypted_content"])
    spawn = next(part for part in prompt.messages[8].parts if isinstance(part, CallPart))
    assert (spawn.name, spawn.namespace, spawn.custom) == ("spawn_agent", "multi_agent_v1", False)
    picture = prompt.messages[-2].parts[0]
    assert isinstance(picture, ResultPart)
    assert isinstance(picture.parts[0], ImagePart)
    assert (picture.parts[0].media_type, picture.parts[0].data[:8]) == ("image/png", "iVBORw0K")
    assert (prompt.effort, prompt.show_thoughts, prompt.parallel, prompt.tool_choice) == ("medium", True, False, "auto")
    assert prompt.cache_key.startswith("019ab2c4")
    assert [(loss.what, loss.essential) for loss in prompt.losses] == [("web_search", False)]


def test_codex_says_in_its_input_which_tools_it_has() -> None:
    prompt = case("codex_default")
    assert [(tool.namespace, tool.name, tool.custom) for tool in prompt.tools] == [
        ("functions", "exec", True),
        ("functions", "wait", False),
        ("collaboration", "spawn_agent", False),
        ("collaboration", "wait_agent", False),
    ]
    # What no grammar holds the model to, it must be told.
    assert "lark grammar accepts:\nstart: pragma_source" in prompt.tools[0].description
    assert prompt.tools[0].description.startswith("Tools that run on the user's computer.\n\nRuns raw JavaScript")
    call = next(part for message in prompt.messages for part in message.parts if isinstance(part, CallPart))
    assert (call.name, call.namespace, call.custom) == ("exec", "functions", True)
    assert call.arguments.startswith("const r = await")
    assert prompt.losses == ()
    assert prompt.show_thoughts is False


def test_the_task_of_a_subagent_is_a_users_words_unless_it_is_encrypted() -> None:
    message = case("codex_subagent").messages[-1]
    assert message.role is Role.USER
    assert "Check all callers" in "".join(part.text for part in message.parts if isinstance(part, TextPart))
    for secret in ("gAAAAABpZq7Vd0Y2mJ4w8bN1k", "QmFzZTY0" * 20):
        content = [{"type": "encrypted_content", "encrypted_content": secret}]
        (loss,) = prompt_of([{"type": "agent_message", "content": content}]).losses
        assert loss.essential


def test_a_schema_for_the_answer_and_the_numbers_are_read() -> None:
    prompt = case("codex_output_schema")
    assert prompt.form is not None
    assert (prompt.form.name, prompt.form.strict) == ("codex_output_schema", True)
    assert prompt_of(text={"format": {"type": "json_object"}}).form == OutputForm()
    assert prompt_of(text={"format": {"type": "text"}}).form is None
    small = case("sdk_plain")
    assert small.messages[0] == Message(Role.SYSTEM, (TextPart('You answer in "one word".'),))
    assert (small.max_output_tokens, small.temperature, small.stream) == (64, 0.2, False)


@pytest.mark.parametrize(
    ("items", "what", "essential"),
    [
        ([{"id": "msg_1"}], "item_reference", True),
        ([{"type": "compaction", "encrypted_content": "x"}], "compaction", True),
        ([{"type": "compaction_trigger"}], "compaction_trigger", True),
        ([{"type": "web_search_call", "id": "ws"}], "web_search_call", False),
        ([{"type": "of the future"}], "of the future", False),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}], "file_id", True),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}], "file_id", True),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input_audio", True),
        ([7], "unreadable", False),
    ],
)
def test_what_no_other_format_can_say_is_a_loss(items: object, what: str, essential: bool) -> None:
    (loss,) = prompt_of(items).losses
    assert (loss.what, loss.essential) == (what, essential)
    assert loss.words


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"previous_response_id": "resp_1"}, [("previous_response_id", True)]),
        ({"conversation": {"id": "conv_1"}}, [("conversation", True)]),
        ({"prompt": {"id": "pmpt_1"}}, [("prompt", True)]),
        ({"background": True}, [("background", True)]),
        ({"tools": [{"type": "web_search"}]}, [("web_search", True)]),
        ({"tools": [{"type": "mcp"}, {"type": "function", "name": "f"}]}, [("mcp", False)]),
        ({"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search"}}, [("tool_choice", True)]),
        (
            {"store": True, "truncation": "auto", "metadata": {"a": "b"}, "include": [], "text": {"verbosity": "low"}, "background": False},
            [],
        ),
    ],
)
def test_what_only_openai_can_do_is_a_loss(fields: dict[str, object], lost: list[tuple[str, bool]]) -> None:
    assert [(loss.what, loss.essential) for loss in prompt_of(**fields).losses] == lost


TWO = [{"type": "function", "name": "f"}, {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "g"}]}]


@pytest.mark.parametrize(
    ("choice", "word", "left"),
    [
        (None, "", ["f", "g"]),
        ("auto", "auto", ["f", "g"]),
        ("none", "none", ["f", "g"]),
        ("required", "required", ["f", "g"]),
        ({"type": "function", "name": "f"}, "tool:f", ["f", "g"]),
        ({"type": "custom", "name": "g"}, "tool:g", ["f", "g"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}, "auto", ["f"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "namespace", "name": "ns"}]}, "required", ["g"]),
        ("odd", "", ["f", "g"]),
        ({"type": "odd"}, "", ["f", "g"]),
    ],
)
def test_the_choice_of_a_tool_in_all_its_forms(choice: object, word: str, left: list[str]) -> None:
    prompt = prompt_of(tools=TWO, tool_choice=choice)
    assert (prompt.tool_choice, [tool.name for tool in prompt.tools], prompt.losses) == (word, left, ())


def test_images_and_files_are_read_in_every_form() -> None:
    content = [
        {
            "type": "input_image",
            "image_url": "https://x/y.png",
            "detail": "low",
            "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
        },
        {"type": "input_image", "image_url": "data:image/jpeg;base64,AAAA"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
    ]
    assert prompt_of([{"role": "user", "content": content}]).messages[0].parts == (
        ImagePart(url="https://x/y.png", detail="low", cache_s=HOUR_S),
        ImagePart("image/jpeg", "AAAA"),
        FilePart("application/pdf", "BBBB", name="a.pdf"),
        FilePart(url="https://x/a.pdf"),
    )


# --- writing


def test_a_prompt_is_said_strictly() -> None:
    prompt = Prompt(
        messages=(Message(Role.SYSTEM, (TextPart("Rules"),)), Message(Role.USER, (TextPart("Hi"),))),
        tools=(ToolOffer("a.b", "Does it", {"properties": {"x": {}}}, "ns"), ToolOffer("exec", custom=True), ToolOffer("f", strict=True)),
        tool_choice="tool:a.b",
        parallel=False,
        stream=True,
        max_output_tokens=4,
        temperature=0.5,
        effort="high",
        form=OutputForm("Ans wer", {"type": "object"}, strict=True),
        cache_key="k" * 70,
        service="flex",
    )
    body = written(prompt)
    assert body["input"] == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    ]
    assert (body["model"], body["stream"], body["store"], body["max_output_tokens"]) == ("thinker", True, False, 16)
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    named, custom, strict = body["tools"]
    assert named["name"].startswith("ns__a_b_")
    assert named["parameters"] == {"type": "object", "properties": {"x": {}}}
    assert body["tool_choice"] == {"type": "function", "name": named["name"]}
    assert (named["strict"], custom["strict"], strict["strict"]) == (False, False, True)
    assert list(custom["parameters"]["properties"]) == ["input"]
    assert (body["parallel_tool_calls"], body["temperature"], body["service_tier"]) == (False, 0.5, "flex")
    assert body["text"]["format"]["type"] == "json_schema"
    assert body["text"]["format"]["name"].startswith("Ans_wer")
    assert len(body["prompt_cache_key"]) == 64


def test_what_is_not_asked_for_is_not_said() -> None:
    bare = written(Prompt((Message(Role.USER, (TextPart("Hi"),)),), show_thoughts=False, tool_choice="auto", parallel=True))
    assert set(bare) == {"model", "stream", "store", "include", "input"}
    silent = written(Prompt((Message(Role.USER, (TextPart("Hi"),)),), effort="none"))
    assert "include" not in silent
    assert silent["reasoning"] == {"effort": "none"}
    assert written(Prompt((), max_output_tokens=128_000))["max_output_tokens"] == 8_000


def thought(name: str, dialect: str = "responses") -> ThoughtPart:
    raw = json.dumps({"type": "reasoning", "id": f"rs_{name}", "summary": [], "encrypted_content": name}).encode()
    return ThoughtPart(Thought(dialect, raw, digest_of(name)))


def test_an_answer_is_said_in_order_and_its_thoughts_byte_for_byte() -> None:
    parts = (
        thought("1"),
        TextPart("I look."),
        TextPart(""),
        TextPart("Now."),
        CallPart("c1", "f", ""),
        thought("2"),
        CallPart("c2", "e", "ls", "ns", True),
    )
    results = Message(Role.TOOL, (ResultPart("c2", (TextPart("b"),)), ResultPart("c1", (TextPart("a"), TextPart("z")))))
    items = items_for([Message(Role.ASSISTANT, parts), results])
    assert items[0] == thought("1").thought.raw
    assert items[3] == thought("2").thought.raw
    assert [json.loads(items[place]) for place in (1, 2, 4, 5, 6)] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []} for text in ("I look.", "Now.")],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "ns__e", "arguments": '{"input": "ls"}'},
        {"type": "function_call_output", "call_id": "c2", "output": "b"},
        {"type": "function_call_output", "call_id": "c1", "output": "a\nz"},
    ]


def test_a_thought_that_nothing_follows_or_of_another_format_is_left_out() -> None:
    items = input_of(Message(Role.ASSISTANT, (thought("1", "anthropic"), TextPart("Done."), thought("2"))))
    assert [item["type"] for item in items] == ["message"]
    assert input_of(Message(Role.ASSISTANT, (thought("1"),))) == []


def test_calls_and_results_always_come_in_pairs() -> None:
    items = input_of(
        Message(Role.ASSISTANT, (CallPart("", "f", "{}"), CallPart("", "g", "{}"), CallPart("x" * 80, "h", "{}"))),
        Message(Role.TOOL, (ResultPart("", (TextPart("first"),)), ResultPart("lost", (TextPart("whose?"),)))),
        Message(Role.USER, (TextPart("Go on"),)),
        Message(Role.ASSISTANT, (TextPart("Well"),)),
        Message(Role.TOOL, (ResultPart("", (TextPart("too late"),)),)),
    )
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
    assert len(set(calls)) == 3
    assert all(0 < len(call) <= 64 for call in calls)
    assert outputs == {calls[0]: "first", calls[1]: NOT_KEPT, calls[2]: NOT_KEPT}
    strays = [item for item in items if item.get("role") == "user"]
    assert ["whose?" in json.dumps(item) or "too late" in json.dumps(item) for item in strays] == [True, False, True]
    assert [item["type"] for item in items].index("message") > 3


def test_results_hold_images_and_say_that_they_failed() -> None:
    call = Message(Role.ASSISTANT, (CallPart("c", "f", "{}"), CallPart("d", "f", "{}")))
    picture, text = ImagePart("image/png", "AAAA", detail="high"), TextPart("See:")
    items = input_of(call, Message(Role.TOOL, (ResultPart("c", (text, picture)), ResultPart("d", (TextPart("no file"),), failed=True))))
    assert items[2]["output"] == [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"},
    ]
    assert items[3]["output"] == "Error: no file"


def test_files_are_said_in_every_form() -> None:
    parts = (
        FilePart("application/pdf", "AAAA", name="a.pdf"),
        FilePart(url="https://x/a.pdf"),
        FilePart(text="words", name="a.txt"),
        OtherPart("odd"),
        ImagePart(url="https://x/y.png"),
    )
    assert input_of(Message(Role.USER, parts))[0]["content"] == [
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_text", "text": "a.txt:\nwords"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
    ]


def test_what_this_format_has_no_words_for_is_told() -> None:
    assert losses(Prompt(())) == ()
    prompt = Prompt((Message(Role.ASSISTANT, (ImagePart(url="x"),)),), stop=("END",))
    assert [(loss.what, loss.essential) for loss in losses(prompt)] == [("stop", False), ("assistant image", False)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_of_a_client_means_the_same_when_it_is_written_and_read_again(name: str) -> None:
    first = case(name)
    second = read_prompt(read_request(write_prompt(first, CARE).body(), {}))
    assert [message.role for message in second.messages] == [message.role for message in first.messages]
    for one, other in zip(first.messages, second.messages, strict=True):
        assert [part for part in other.parts if isinstance(part, TextPart | ImagePart | ThoughtPart)] == [
            part for part in one.parts if isinstance(part, TextPart | ImagePart | ThoughtPart)
        ]
        for part, again in zip(one.parts, other.parts, strict=True):
            if isinstance(part, CallPart):
                assert isinstance(again, CallPart)
                assert (again.id, again.custom) == (part.id, False)
                assert (json.loads(again.arguments)["input"] if part.custom else again.arguments) == part.arguments
    assert len(second.tools) == len(first.tools)
    assert (second.form, second.effort, second.max_output_tokens) == (first.form, first.effort, first.max_output_tokens)


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
TEXTS = st.builds(TextPart, WORDS)
IMAGES = st.builds(ImagePart, st.just("image/png"), st.just("AAAA"))
IDS = st.sampled_from(["", "a", "b", "x" * 70])


@st.composite
def rounds(draw: st.DrawFn) -> list[Message]:
    """Words of the user or the system, an answer with thoughts and calls, and the results of some of these."""
    said = Message(draw(st.sampled_from([Role.USER, Role.SYSTEM])), tuple(draw(st.lists(TEXTS | IMAGES, max_size=2))))
    calls = [CallPart(draw(IDS), draw(WORDS), draw(WORDS), custom=draw(st.booleans())) for _ in range(draw(st.integers(0, 3)))]
    thoughts = [thought(str(number)) for number in range(draw(st.integers(0, 2)))]
    answer = Message(Role.ASSISTANT, tuple(draw(st.permutations([*calls, *thoughts, draw(TEXTS)]))))
    answered = draw(st.lists(st.sampled_from(calls), max_size=3)) if calls else []
    results = [ResultPart(call.id, tuple(draw(st.lists(TEXTS | IMAGES, max_size=2)))) for call in answered]
    return [said, answer, *([Message(Role.TOOL, tuple(results))] if results else [])]


@settings(max_examples=60, deadline=None)
@given(st.lists(rounds(), min_size=1, max_size=5))
def test_a_prefix_keeps_its_bytes_while_a_conversation_grows(conversation: list[list[Message]]) -> None:
    messages: list[Message] = []
    before: list[bytes] = []
    for said, *answer in conversation:
        messages.append(said)  # A request ends with what the user says, or with results that the client has in full.
        after = items_for(messages)
        assert after[: len(before)] == before
        before = after
        messages += answer
    whole = [json.loads(item) for item in items_for(messages)]
    calls = [item["call_id"] for item in whole if item["type"] == "function_call"]
    outputs = [item["call_id"] for item in whole if item["type"] == "function_call_output"]
    assert sorted(calls) == sorted(outputs)
    prompt = Prompt(tuple(messages))
    assert write_prompt(prompt, CARE).body() == write_prompt(replace(prompt), CARE).body()
