"""What a program does with the `anthropic` library, one function a case. Prints what came of it as one JSON object.

Run in the environment of these locks with BASE_URL and TOKEN set: `python anthropic_client.py CASE`.
"""

import json
import os
import sys

import anthropic

MODEL = os.environ.get("MODEL", "claude-stepfare-auto")
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "done": {"type": "boolean"}},
    "required": ["title", "done"],
    "additionalProperties": False,
}
SHELL = {
    "name": "bash",
    "description": "Run a command in a shell.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
RESULT = "notes.txt\n"
ASK = {"model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": "Name the capital of France."}]}
TASK = "Read the file notes.txt and tell me what it says."


def client(**options):
    return anthropic.Anthropic(base_url=os.environ["BASE_URL"].removesuffix("/v1"), api_key=os.environ["TOKEN"], **options)


def message():
    answer = client().messages.create(**ASK)
    return {
        "text": "".join(block.text for block in answer.content if block.type == "text"),
        "stop": answer.stop_reason,
        "model": answer.model,
        "usage": answer.usage.model_dump(),
    }


def message_stream():
    with client().messages.stream(**ASK) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_message()
    return {
        "text": "".join(block.text for block in final.content if block.type == "text"),
        "stop": final.stop_reason,
        "events": events,
        "usage": final.usage.model_dump(),
    }


def message_tools():
    messages = [{"role": "user", "content": TASK}]
    with client().messages.stream(model=MODEL, max_tokens=1024, messages=messages, tools=[SHELL]) as stream:
        first = stream.get_final_message()
    calls = [block for block in first.content if block.type == "tool_use"]
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]})
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]
    messages.append({"role": "user", "content": results})
    second = client().messages.create(model=MODEL, max_tokens=1024, messages=messages, tools=[SHELL])
    return {"stop": first.stop_reason, "calls": [(call.name, call.input) for call in calls], "then": second.stop_reason}


def message_structured():
    answer = client().messages.create(**ASK, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    return json.loads(next(block.text for block in answer.content if block.type == "text"))


def tokens():
    return {"input_tokens": client().messages.count_tokens(model=MODEL, messages=ASK["messages"], tools=[SHELL]).input_tokens}


def models():
    return [model.id for model in client().models.list()]


def _refused(call):
    try:
        call()
    except Exception as problem:  # a cut connection is told in the words of the library below
        body = getattr(problem, "body", None)
        error = body.get("error", {}) if isinstance(body, dict) else {}
        return {
            "type": type(problem).__name__,
            "status": getattr(problem, "status_code", 0),
            "error": error.get("type"),
            "words": error.get("message") or str(problem),
        }
    return {"type": "", "words": "nothing was refused"}


def refused():
    return _refused(lambda: client(max_retries=0).messages.create(**ASK))


def broken_stream():
    def read():
        with client(max_retries=0).messages.stream(**ASK) as stream:
            for _ in stream:
                pass

    return _refused(read)


def patient():
    answer = client(max_retries=2).messages.with_raw_response.create(**ASK)
    return {"retries": answer.retries_taken, "stop": answer.parse().stop_reason}


print(json.dumps(globals()[sys.argv[1]]()))
