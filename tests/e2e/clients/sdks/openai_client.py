"""What a program does with the `openai` library, one function a case. Prints what came of it as one JSON object.

Run in the environment of these locks with BASE_URL and TOKEN set: `python openai_client.py CASE`.
"""

import json
import os
import sys

import openai

MODEL = os.environ.get("MODEL", "auto")
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "done": {"type": "boolean"}},
    "required": ["title", "done"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"], "additionalProperties": False}
SHELL = {"name": "bash", "description": "Run a command in a shell.", "parameters": PARAMETERS}
RESULT = "notes.txt\n"
QUESTION = "Name the capital of France."
TASK = "Read the file notes.txt and tell me what it says."


def client(**options):
    return openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["TOKEN"], **options)


def chat():
    answer = client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
    return {
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "model": answer.model,
        "usage": answer.usage.model_dump(),
    }


def chat_stream():
    chunks = list(
        client().chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True, stream_options={"include_usage": True}
        )
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": [choice.finish_reason for choice in choices if choice.finish_reason],
        "pieces": len(chunks),
        "ids": len({chunk.id for chunk in chunks}),
        "usage": chunks[-1].usage.model_dump(),
    }


def chat_tools():
    tools = [{"type": "function", "function": SHELL}]
    messages = [{"role": "user", "content": TASK}]
    with client().chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
        first = stream.get_final_completion().choices[0]
    calls = first.message.tool_calls or []
    messages.append(first.message.model_dump(exclude_none=True, exclude={"parsed"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in calls]
    second = client().chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0]
    return {
        "finish": first.finish_reason,
        "calls": [(call.function.name, json.loads(call.function.arguments)) for call in calls],
        "then": second.finish_reason,
    }


def chat_structured():
    answer = client().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": QUESTION}],
        response_format={"type": "json_schema", "json_schema": {"name": "note", "schema": SCHEMA, "strict": True}},
    )
    return json.loads(answer.choices[0].message.content)


def responses():
    answer = client().responses.create(model=MODEL, input=QUESTION)
    return {"text": answer.output_text, "status": answer.status, "model": answer.model, "usage": answer.usage.model_dump()}


def responses_stream():
    with client().responses.stream(model=MODEL, input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    return {
        "text": final.output_text,
        "deltas": "".join(deltas),
        "first": events[0].type,
        "last": events[-1].type,
        "numbers": [event.sequence_number for event in events if hasattr(event, "sequence_number")],
        "usage": final.usage.model_dump(),
    }


def responses_tools():
    tools = [{"type": "function", **SHELL, "strict": True}]
    items = [{"role": "user", "content": TASK}]
    first = client().responses.create(model=MODEL, input=items, tools=tools)
    calls = [item for item in first.output if item.type == "function_call"]
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": RESULT} for call in calls]
    second = client().responses.create(model=MODEL, input=items, tools=tools)
    return {"calls": [(call.name, json.loads(call.arguments)) for call in calls], "then": second.status, "text": second.output_text}


def responses_structured():
    answer = client().responses.create(
        model=MODEL, input=QUESTION, text={"format": {"type": "json_schema", "name": "note", "schema": SCHEMA, "strict": True}}
    )
    return json.loads(answer.output_text)


def models():
    return [model.id for model in client().models.list()]


def embeddings():
    answer = client().embeddings.create(model=MODEL, input=["one", "two"])
    return {"vectors": len(answer.data), "numbers": len(answer.data[0].embedding), "usage": answer.usage.model_dump()}


def _told(problem):
    return {
        "type": type(problem).__name__,
        "status": getattr(problem, "status_code", 0),
        "code": getattr(problem, "code", None),
        "words": getattr(problem, "message", str(problem)),
    }


def _refused(call):
    try:
        call()
    except openai.OpenAIError as problem:
        return _told(problem)
    return {"type": "", "words": "nothing was refused"}


def refused_chat():
    return _refused(lambda: client(max_retries=0).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}]))


def refused_responses():
    return _refused(lambda: client(max_retries=0).responses.create(model=MODEL, input=QUESTION))


def broken_stream():
    def read():
        for _ in client(max_retries=0).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True
        ):
            pass

    return _refused(read)


def patient_chat():
    answer = client(max_retries=2).chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
    return {"retries": answer.retries_taken, "text": answer.parse().choices[0].message.content}


print(json.dumps(globals()[sys.argv[1]]()))
