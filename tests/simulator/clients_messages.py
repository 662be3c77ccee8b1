"""Agents that speak Anthropic Messages to the simulator and truly carry out its calls in a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

from tests.simulator.clients import STEPS_MAX, shell, text

Json = dict[str, Any]


def tool(name: str, required: list[str], **properties: Json) -> Json:
    return {"name": name, "description": name, "input_schema": {"type": "object", "properties": properties, "required": required}}


def cat_n(content: str) -> str:
    """Numbered lines; the emptiness after the last one has a number too, and what is white at the very end is cut."""
    return "\n".join(f"{number}\t{line}" for number, line in enumerate(content.split("\n"), 1)).rstrip()


class MessagesAgent:
    """A loop: ask, carry out, tell, until the model says no more. `used` are the names of the tools in order."""

    tools: ClassVar[list[Json]] = []
    more: ClassVar[Json] = {}

    def __init__(self, base_url: str, folder: Path) -> None:
        self.base_url = base_url
        self.folder = folder
        self.messages: list[Json] = []
        self.used: list[str] = []
        self.commands: list[str] = []

    def body(self) -> Json:
        return {"model": "simulator/balanced", "max_tokens": 32_000, "messages": self.messages, "tools": self.tools, **self.more}

    async def ask(self, session: aiohttp.ClientSession) -> list[Json]:
        headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
        async with session.post(f"{self.base_url}/messages", json=self.body(), headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            content = (await answer.json())["content"]
        self.messages.append({"role": "assistant", "content": content})
        return content

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.begin(task)
        for _ in range(STEPS_MAX):
            content = await self.ask(session)
            calls = [block for block in content if block["type"] == "tool_use"]
            if not calls:
                return "".join(block["text"] for block in content if block["type"] == "text")
            for call in calls:
                names = {offered["name"]: offered["input_schema"] for offered in self.tools}
                assert set(call["input"]) <= set(names[call["name"]]["properties"])
                assert set(names[call["name"]]["required"]) <= set(call["input"])
            self.used += [call["name"] for call in calls]
            if ended := self.tell(calls):
                return ended
        raise AssertionError(f"the play did not end: {self.used}")

    def begin(self, task: str) -> None:
        raise NotImplementedError

    def tell(self, calls: list[Json]) -> str:
        """Carry out the calls and add what came of them; the last words where a call ends the task."""
        raise NotImplementedError


class ClaudeCode(MessagesAgent):
    """A system message within the conversation, a tool that only holds a place, and edits only of files that were read."""

    tools: ClassVar[list[Json]] = [
        tool("Agent", ["description", "prompt"], description=text(), prompt=text(), subagent_type=text()),
        tool("Bash", ["command"], command=text(), description=text(), timeout={"type": "number"}, run_in_background={"type": "boolean"}),
        tool(
            "Edit",
            ["file_path", "old_string", "new_string"],
            file_path=text("The absolute path to the file to modify"),
            old_string=text(),
            new_string=text(),
            replace_all={"type": "boolean", "default": False},
        ),
        tool("Read", ["file_path"], file_path=text("The absolute path to the file to read"), offset={"type": "integer"}),
        tool("ToolSearch", ["query", "max_results"], query=text(), max_results={"type": "number"}),
        {**tool("DeferredToolPlaceholder", []), "defer_loading": True},
        tool("Write", ["file_path", "content"], file_path=text("The absolute path to the file to write"), content=text()),
    ]
    reminders = False
    plan = ""

    def begin(self, task: str) -> None:
        self.read: set[Path] = set()
        told = [
            {"type": "text", "text": "<system-reminder>\n# gitStatus\nMain branch: main\n</system-reminder>"},
            {"type": "text", "text": task},
        ]
        place = f"# Environment\n - Primary working directory: {self.folder}\n - Is a git repository: true\n\n{self.plan}"
        self.messages += [{"role": "user", "content": told}, {"role": "system", "content": [{"type": "text", "text": place}]}]

    def tell(self, calls: list[Json]) -> str:
        results: list[Json] = []
        for call in calls:
            said, failed = self.do(call["name"], call["input"])
            if self.reminders:
                said += "\n\n<system-reminder>\n<total_tokens>9000 tokens left</total_tokens>\n</system-reminder>"
            results.append({"type": "tool_result", "tool_use_id": call["id"], "content": said, "is_error": failed})
        self.messages.append({"role": "user", "content": results})
        return ""

    def do(self, name: str, arguments: Json) -> tuple[str, bool]:
        if name == "Bash":
            self.commands.append(arguments["command"])
            code, output = shell(arguments["command"], self.folder)
            return (output, False) if code == 0 else (f"Exit code {code}\n{output}", True)
        path = Path(arguments["file_path"])
        assert path.is_absolute(), path
        if name == "Read":
            self.read.add(path)
            return cat_n(
                path.read_text()
            ) or "<system-reminder>Warning: the file exists but the contents are empty.</system-reminder>", False
        assert name in ("Edit", "Write"), name
        if path not in self.read:
            return "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>", True
        before = path.read_text()
        assert name == "Write" or before.count(arguments["old_string"]) == 1
        path.write_text(arguments["content"] if name == "Write" else before.replace(arguments["old_string"], arguments["new_string"]))
        return f"The file {path} has been updated.", False


class ClassicNative(MessagesAgent):
    """Classic Cline with native tools: every turn must call one, and what came of it stands beside an empty result."""

    tools: ClassVar[list[Json]] = [
        tool("execute_command", ["command", "requires_approval"], command=text(), requires_approval={"type": "boolean"}),
        tool("read_file", ["path"], path=text("The path of the file, relative to the current working directory")),
        tool("replace_in_file", ["path", "diff"], path=text(), diff=text()),
        tool("list_files", ["path"], path=text(), recursive={"type": "boolean"}),
        tool("attempt_completion", ["result"], result=text(), command=text()),
        tool("plan_mode_respond", ["response"], response=text()),
    ]
    more: ClassVar[Json] = {"tool_choice": {"type": "any"}, "system": "You are Cline."}

    def begin(self, task: str) -> None:
        self.say([], f"<task>\n{task}\n</task>")

    def say(self, before: list[Json], *parts: str) -> None:
        files = f"# Current Working Directory ({self.folder}) Files\nNo files found."
        details = f"<environment_details>\n{files}\n\n# Current Mode\nACT MODE\n</environment_details>"
        self.messages.append({"role": "user", "content": [*before, *({"type": "text", "text": part} for part in (*parts, details))]})

    def tell(self, calls: list[Json]) -> str:
        (call,) = calls
        if call["name"] == "attempt_completion":
            return call["input"]["result"]
        missing = {"type": "tool_result", "tool_use_id": call["id"], "content": "result missing"}
        self.say([missing], *self.do(call["name"], call["input"]))
        return ""

    def do(self, name: str, arguments: Json) -> list[str]:
        if name == "execute_command":
            self.commands.append(arguments["command"])
            code, output = shell(arguments["command"], self.folder)
            head = "Command executed successfully (exit code 0)." if code == 0 else f"Command failed with exit code {code}."
            return [f"[execute_command for '{arguments['command']}'] Result:", f"{head}\nOutput:\n{output}"]
        path = self.folder / arguments["path"]
        heading = f"[{name} for '{arguments['path']}'] Result:"
        if name == "list_files":
            return [heading, "\n".join(str(found.relative_to(self.folder)) for found in sorted(path.rglob("*")) if found.is_file())]
        if name == "read_file":
            return [heading, path.read_text()]
        block = re.search(r"-{7} SEARCH\n(.*?)\n=======\n(.*?)\n\+{7} REPLACE", arguments["diff"], re.DOTALL)
        assert name == "replace_in_file"
        assert block is not None
        assert path.read_text().count(block[1]) == 1
        path.write_text(path.read_text().replace(block[1], block[2]))
        return [heading, f"The content was successfully saved to {arguments['path']}."]
