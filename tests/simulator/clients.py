"""Small real agents for the simulator to play: each offers one family of tools and truly carries out the calls in a folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

STEPS_MAX = 30
RUN_S_MAX = 60

Json = dict[str, Any]


def tool(name: str, required: list[str], **properties: Json) -> Json:
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


def text(words: str = "") -> Json:
    return {"type": "string", "description": words}


def texts(words: str = "") -> Json:
    return {"type": "array", "items": text(), "description": words}


def shell(command: str, folder: Path) -> tuple[int, str]:
    # The interpreter of the tests comes first: it has pytest.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        # Without the plug-ins of this environment pytest starts in a tenth of the time.
        env={**os.environ, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def numbered(content: str) -> str:
    lines = content.rstrip("\n").split("\n")
    width = len(str(len(lines)))
    return "\n".join(f"{number:>{width}} | {line}" for number, line in enumerate(lines, 1))


async def ask(session: aiohttp.ClientSession, base_url: str, body: Json) -> Json:
    """The assistant's message, put together from the stream."""
    async with session.post(f"{base_url}/chat/completions", json={**body, "stream": True}) as answer:
        assert answer.status == 200, await answer.text()
        return assembled(await answer.text())


def frames(stream: str) -> list[Json]:
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]


def assembled(stream: str) -> Json:
    message: Json = {"role": "assistant", "content": ""}
    calls: dict[int, Json] = {}
    for frame in frames(stream):
        for choice in frame["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            if "reasoning_content" in delta:
                message["reasoning_content"] = message.get("reasoning_content", "") + delta["reasoning_content"]
            for piece in delta.get("tool_calls", []):
                call = calls.setdefault(piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
                call["id"] = piece.get("id", call.get("id"))
                call["function"]["name"] += piece["function"].get("name", "")
                call["function"]["arguments"] += piece["function"].get("arguments", "")
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return message


class Agent:
    """A loop: ask, carry out, tell, until the model says no more. `used` are the names of the tools in order."""

    system = "You are an agent.\nWorking directory: {folder}"
    missing = ""
    tools: ClassVar[list[Json]] = []

    def __init__(self, base_url: str, folder: Path, model: str = "simulator/balanced") -> None:
        self.base_url = base_url
        self.folder = folder
        self.model = model
        self.messages: list[Json] = [{"role": "system", "content": self.system.format(folder=folder)}]
        self.used: list[str] = []
        self.commands: list[str] = []

    def body(self) -> Json:
        return {"model": self.model, "messages": self.messages, "tools": self.tools}

    def run(self, command: str) -> tuple[int, str]:
        self.commands.append(command)
        if self.missing and self.missing in command:
            return 1, f"/usr/bin/python3: No module named {self.missing}\n"
        return shell(command, self.folder)

    def do(self, name: str, arguments: Json) -> str:
        raise NotImplementedError(name)

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.messages.append({"role": "user", "content": task})
        for _ in range(STEPS_MAX):
            message = await ask(session, self.base_url, self.body())
            self.messages.append(message)
            if not message.get("tool_calls"):
                return message["content"]
            for call in message["tool_calls"]:
                self.used.append(call["function"]["name"])
                result = self.do(call["function"]["name"], json.loads(call["function"]["arguments"]))
                self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        raise AssertionError(f"the play did not end: {self.used}")


class Cline(Agent):
    """Batched tools with absolute paths; results are JSON rows."""

    tools: ClassVar[list[Json]] = [
        tool(
            "read_files",
            ["files"],
            files={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": text("The absolute path of a file"),
                        "start_line": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                    },
                    "required": ["path"],
                },
            },
        ),
        tool("search_codebase", ["queries"], queries=texts()),
        tool("run_commands", ["commands"], commands=texts()),
        tool(
            "editor",
            ["path", "new_text"],
            path=text("The absolute path"),
            old_text={"anyOf": [text(), {"type": "null"}]},
            new_text=text(),
            insert_line={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        ),
        tool("ask_question", ["question", "options"], question=text(), options=texts()),
    ]

    def do(self, name: str, arguments: Json) -> str:
        return json.dumps(list(self.rows(name, arguments)))

    def rows(self, name: str, arguments: Json):
        if name == "read_files":
            for file in arguments["files"]:
                path = Path(file["path"])
                assert path.is_absolute(), path
                if path.is_file():
                    yield {"query": str(path), "result": numbered(path.read_text()), "success": True}
                else:
                    yield {"query": str(path), "result": "", "error": f"Error reading file: ENOENT: no such file {path}", "success": False}
        elif name == "search_codebase":
            for query in arguments["queries"]:
                yield {"query": query, "result": self.search(query), "success": True}
        elif name == "run_commands":
            for command in arguments["commands"]:
                code, output = self.run(command)
                yield {
                    "query": command,
                    "result": output if code == 0 else f"[Command exited with code {code}]\n\n[stderr]\n{output}",
                    "success": True,
                }
        elif name == "editor":
            path = Path(arguments["path"])
            before = path.read_text()
            assert before.count(arguments["old_text"]) == 1, arguments
            path.write_text(before.replace(arguments["old_text"], arguments["new_text"]))
            yield {"query": f"edit:{path}", "result": f"Edited {path}", "success": True}

    def search(self, query: str) -> str:
        hits = []
        for path in sorted(self.folder.rglob("*.py")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(query, line):
                    hits.append(f"{path.relative_to(self.folder)}:{number}:1\n> {number}: {line}\n")
        return f"Found {len(hits)} results for pattern: {query}\n\n" + "\n".join(hits)


class ClineToTheEnd(Cline):
    """Ends a task by a tool, and has neither search nor a list."""

    tools: ClassVar[list[Json]] = [
        *(offered for offered in Cline.tools if offered["function"]["name"] not in ("search_codebase", "ask_question")),
        tool("submit_and_exit", ["summary", "verified"], summary=text(), verified={"type": "boolean"}),
    ]
    submitted: Json | None = None

    def do(self, name: str, arguments: Json) -> str:
        if name == "submit_and_exit":
            self.submitted = arguments
            return "[]"
        return super().do(name, arguments)

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.messages.append({"role": "user", "content": task})
        self.messages.append({"role": "user", "content": "[SYSTEM] This run is not complete until you call submit_and_exit."})
        while self.submitted is None:
            message = await ask(session, self.base_url, self.body())
            self.messages.append(message)
            for call in message["tool_calls"]:
                self.used.append(call["function"]["name"])
                result = self.do(call["function"]["name"], json.loads(call["function"]["arguments"]))
                self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        return self.submitted["summary"]


class Continue(Agent):
    """One thing a call, relative paths, a list that does not go into folders, plain text results."""

    tools: ClassVar[list[Json]] = [
        tool("Read", ["filepath"], filepath=text("The path to the file to read")),
        tool("Write", ["filepath", "content"], filepath=text(), content=text()),
        tool("List", ["dirpath"], dirpath=text("The path to the directory to list")),
        tool("Bash", ["command"], command=text(), timeout={"type": "number"}),
        tool("Fetch", ["url"], url=text()),
        tool(
            "Edit",
            ["file_path", "old_string", "new_string"],
            file_path=text(),
            old_string=text(),
            new_string=text(),
            replace_all={"type": "boolean"},
        ),
        tool("Exit", []),
    ]
    broken: frozenset[str] = frozenset()

    def do(self, name: str, arguments: Json) -> str:
        if name in self.broken:
            return f"Error executing tool {name}: it is broken"
        if name == "Read":
            path = self.folder / arguments["filepath"]
            return (
                f"Content of {arguments['filepath']}:\n{path.read_text()}"
                if path.is_file()
                else "Error executing tool Read: File not found"
            )
        if name == "List":
            path = self.folder / arguments["dirpath"]
            rows = [
                f"{item.name} (directory)" if item.is_dir() else f"{item.name} (file, {item.stat().st_size} bytes)"
                for item in sorted(path.iterdir())
            ]
            return "\n".join([f"Files in {path}:", *rows])
        if name == "Bash":
            code, output = self.run(arguments["command"])
            return output if code == 0 else f"Error executing tool Bash: Error (exit code {code}): {output}"
        if name == "Edit":
            path = self.folder / arguments["file_path"]
            path.write_text(path.read_text().replace(arguments["old_string"], arguments["new_string"], 1))
            return f"Successfully edited {path}"
        if name == "Write":
            (self.folder / arguments["filepath"]).write_text(arguments["content"])
            return "Successfully wrote the file"
        raise AssertionError(name)


class OnlyBash(Agent):
    """An agent with a shell and nothing else, that ends by a command."""

    system = "Finish by running `echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT`."
    tools: ClassVar[list[Json]] = [tool("bash", ["command"], command=text("The command"))]

    def do(self, name: str, arguments: Json) -> str:
        code, output = self.run(arguments["command"])
        return json.dumps({"returncode": code, "output": output})

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.messages.append({"role": "user", "content": task})
        for _ in range(STEPS_MAX):
            message = await ask(session, self.base_url, self.body())
            self.messages.append(message)
            for call in message["tool_calls"]:
                result = self.do("bash", json.loads(call["function"]["arguments"]))
                self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            if self.commands[-1].startswith("echo COMPLETE"):
                return message["content"]
        raise AssertionError(self.commands)


MANUAL = """You are a software engineer.

TOOL USE

You can use one tool per message. Tools are called by XML tags.

# Tools

## execute_command
Description: Run a command.
Parameters:
- command: (required) The command to execute.
- requires_approval: (required) A boolean that says whether a person must agree.
- timeout: (optional) Seconds.
Usage:
<execute_command>
<command>Your command here</command>
<requires_approval>true or false</requires_approval>
</execute_command>

## read_file
Description: Read a file.
Parameters:
- path: (required) The path of the file (relative to the current working directory {folder})
- start_line: (optional) First line.
Usage:
<read_file>
<path>File path here</path>
</read_file>

## replace_in_file
Description: Replace parts of a file by SEARCH/REPLACE blocks.
Parameters:
- path: (required) The path of the file
- diff: (required) One or more blocks
Usage:
<replace_in_file>
<path>File path here</path>
<diff>Search and replace blocks here</diff>
</replace_in_file>

## list_files
Description: List files.
Parameters:
- path: (required) The path of the directory
- recursive: (optional) Whether to go into folders.
Usage:
<list_files>
<path>Directory path here</path>
<recursive>true or false (optional)</recursive>
</list_files>

## attempt_completion
Description: Present the result.
Parameters:
- result: (required) The result.
- command: (optional) A command to show it.
Usage:
<attempt_completion>
<result>Your final result description here</result>
</attempt_completion>

## plan_mode_respond
Description: Present a plan.
Parameters:
- response: (required) The response.
Usage:
<plan_mode_respond>
<response>Your response here</response>
</plan_mode_respond>

====

SYSTEM INFORMATION

Current Working Directory: {folder}
"""


class ClassicCline(Agent):
    """No `tools` in the body: a manual in the system prompt, calls as XML in the text, results told by the user."""

    system = MANUAL
    mode = "ACT MODE"
    lists_files = True
    result = ""

    def body(self) -> Json:
        return {"model": self.model, "messages": self.messages, "temperature": 0}

    def details(self, *, first: bool) -> Json:
        files = "\n".join(str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*")) if path.is_file())
        listing = f"\n\n# Current Working Directory ({self.folder}) Files\n{files}" if first and self.lists_files else ""
        return {
            "type": "text",
            "text": f"<environment_details>\n# Open Tabs\n(none){listing}\n\n# Current Mode\n{self.mode}\n</environment_details>",
        }

    def say(self, *parts: str, first: bool = False) -> None:
        told = [
            *({"type": "text", "text": part} for part in parts),
            {"type": "text", "text": "# task_progress RECOMMENDED\n\nA list helps."},
        ]
        self.messages.append({"role": "user", "content": [*told, self.details(first=first)]})

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.say(f"<task>\n{task}\n</task>", first=True)
        for _ in range(STEPS_MAX):
            message = await ask(session, self.base_url, self.body())
            self.messages.append(message)
            tags = re.findall(r"^<(\w+)>\n(.*?)\n</\1>", message["content"], re.DOTALL | re.MULTILINE)
            assert len(tags) == 1, message["content"]
            name, inside = tags[0]
            values = {found[0]: found[1] for found in re.findall(r"<(\w+)>(.*?)</\1>", inside, re.DOTALL)}
            self.used.append(name)
            if name in ("attempt_completion", "plan_mode_respond"):
                self.result = next(iter(values.values())).strip()
                return self.result
            self.say(self.told(name, values))
        raise AssertionError(f"the play did not end: {self.used}")

    def told(self, name: str, values: dict[str, str]) -> str:
        if name == "read_file":
            content = (self.folder / values["path"]).read_text()
            return f"[read_file for '{values['path']}'] Result:\n{numbered(content)}\n\n(File has {len(content.splitlines())} lines total.)"
        if name == "list_files":
            assert values["recursive"] == "true"
            rows = [f"{path.relative_to(self.folder)}{'/' if path.is_dir() else ''}" for path in sorted(self.folder.rglob("*"))]
            return f"[list_files for '{values['path']}'] Result:\n" + "\n".join(rows)
        if name == "execute_command":
            assert values["requires_approval"] == "false"
            code, output = self.run(values["command"])
            head = "Command executed successfully (exit code 0)." if code == 0 else f"Command failed with exit code {code}."
            return f"[execute_command for '{values['command']}'] Result:\n{head}\nOutput:\n{output}"
        if name == "replace_in_file":
            block = re.search(r"-{7} SEARCH\n(.*?)\n=======\n(.*?)\n\+{7} REPLACE", values["diff"], re.DOTALL)
            assert block is not None, values
            path = self.folder / values["path"]
            assert path.read_text().count(block[1]) == 1
            path.write_text(path.read_text().replace(block[1], block[2]))
            return f"[replace_in_file for '{values['path']}'] Result:\nThe content was successfully saved to {values['path']}."
        raise AssertionError(name)


Factory = Callable[[str, Path], Agent]
