"""Codex in its two shapes, speaking OpenAI Responses to the simulator; what it is told to run and to patch, it runs and patches."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import aiohttp

from tests.simulator.clients import STEPS_MAX, shell, text

Json = dict[str, Any]

PATCHING = "You are Codex.\n- Use the `apply_patch` tool to edit files (NEVER try `applypatch`)."


class PatchFailed(Exception):
    pass


def patch(folder: Path, wanted: str) -> str:
    """Apply an envelope; raises PatchFailed where a place is not found."""
    lines = wanted.strip().splitlines()
    assert (lines[0], lines[-1]) == ("*** Begin Patch", "*** End Patch")
    assert lines[1].startswith("*** Update File: ")
    name = lines[1].removeprefix("*** Update File: ")
    content = (folder / name).read_text()
    for hunk in re.split(r"^@@.*\n", "\n".join(lines[2:-1]) + "\n", flags=re.MULTILINE)[1:]:
        old = "".join(line[1:] + "\n" for line in hunk.splitlines() if line[0] in "- ")
        new = "".join(line[1:] + "\n" for line in hunk.splitlines() if line[0] in "+ ")
        if old not in content:
            raise PatchFailed(f"apply_patch verification failed: Failed to find expected lines in {folder / name}:\n{old}")
        content = content.replace(old, new, 1)
    (folder / name).write_text(content)
    return f"Success. Updated the following files:\nM {name}\n"


class Codex:
    """Functions: a shell, an agent's namespace, a hosted tool. Patches go through the shell."""

    rules = PATCHING
    patches_fail = False
    tools: ClassVar[list[Json]] = [
        {
            "type": "function",
            "name": "exec_command",
            "description": "Runs a command.",
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {
                    "cmd": text("Shell command to execute."),
                    "justification": text(),
                    "prefix_rule": {"type": "array", "items": text()},
                    "workdir": text("Working directory for the command."),
                    "yield_time_ms": {"type": "number"},
                },
                "required": ["cmd"],
                "additionalProperties": False,
            },
        },
        {"type": "function", "name": "view_image", "parameters": {"type": "object", "properties": {"path": text()}, "required": ["path"]}},
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Agents.",
            "tools": [{"type": "function", "name": "list", "parameters": {"type": "object", "properties": {}}}],
        },
        {"type": "web_search", "external_web_access": True},
    ]

    def __init__(self, base_url: str, folder: Path) -> None:
        self.base_url = base_url
        self.folder = folder
        self.input: list[Json] = []
        self.used: list[str] = []
        self.commands: list[str] = []
        self.patched = 0

    def body(self) -> Json:
        return {"model": "simulator/balanced", "input": self.input, "tools": self.tools, "store": False, "parallel_tool_calls": True}

    def begin(self, task: str) -> None:
        self.input.append({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": self.rules}]})
        place = f"<environment_context>\n  <cwd>{self.folder}</cwd>\n  <shell>bash</shell>\n</environment_context>"
        guide = f"# AGENTS.md instructions for {self.folder}\n\nBe kind."
        for words in (guide, place, task):
            self.input.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]})

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.begin(task)
        for _ in range(STEPS_MAX):
            async with session.post(f"{self.base_url}/responses", json=self.body(), headers={"Authorization": "Bearer k"}) as answer:
                assert answer.status == 200, await answer.text()
                output = (await answer.json())["output"]
            self.input += output
            calls = [item for item in output if item["type"].endswith("_call")]
            if not calls:
                return "".join(part["text"] for item in output if item["type"] == "message" for part in item["content"])
            for call in calls:
                self.used.append(call["name"])
                self.input.append({"type": f"{call['type']}_output", "call_id": call["call_id"], "output": self.do(call)})
        raise AssertionError(f"the play did not end: {self.used}")

    def patch(self, wanted: str) -> str:
        if self.patches_fail:
            raise PatchFailed("apply_patch verification failed: Failed to find expected lines")
        self.patched += 1
        return patch(self.folder, wanted)

    def do(self, call: Json) -> Any:
        assert (call["type"], call["name"]) == ("function_call", "exec_command")
        command = json.loads(call["arguments"])["cmd"]
        self.commands.append(command)
        if by_patch := re.fullmatch(r"apply_patch <<'(\w+)'\n(.*)\n\1", command, re.DOTALL):
            try:
                return f"Wall time: 0.0000 seconds\nOutput:\nExit code: 0\nWall time: 0 seconds\nOutput:\n{self.patch(by_patch[2])}"
            except PatchFailed as failed:
                return str(failed)
        code, output = shell(command, self.folder)
        return f"Chunk ID: a1\nWall time: 0.01 seconds\nProcess exited with code {code}\nOriginal token count: 9\nOutput:\n{output}"


CODE = """Run JavaScript code.

### `apply_patch`
```ts
declare const tools: { apply_patch(input: string): Promise<unknown>; };
```

### `exec_command`
```ts
declare const tools: { exec_command(args: {
  cmd: string;
}): Promise<{ output: string; }>; };
```
"""


class CodexCode(Codex):
    """One custom tool in a namespace, which takes JavaScript; it comes with the input, not among the tools."""

    rules = "You are Codex, an agent."
    tools: ClassVar[list[Json]] = []
    declared: ClassVar[list[Json]] = [
        {
            "type": "namespace",
            "name": "functions",
            "tools": [
                {
                    "type": "custom",
                    "name": "exec",
                    "description": CODE,
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: S"},
                },
                {"type": "function", "name": "wait", "parameters": {"type": "object", "properties": {"cell_id": text()}}},
            ],
        },
        {
            "type": "namespace",
            "name": "collaboration",
            "tools": [{"type": "function", "name": "list_agents", "parameters": {"type": "object"}}],
        },
    ]

    def body(self) -> Json:
        body = {**super().body(), "parallel_tool_calls": False}
        del body["tools"]
        return body

    def begin(self, task: str) -> None:
        self.input.append({"type": "additional_tools", "role": "developer", "tools": self.declared})
        super().begin(task)

    def do(self, call: Json) -> Any:
        assert (call["type"], call["name"], call["namespace"]) == ("custom_tool_call", "exec", "functions")
        script = re.fullmatch(r"const r = await tools\.(\w+)\((.*)\);\ntext\((r|r\.output)\);", call["input"], re.DOTALL)
        assert script is not None, call["input"]
        try:
            if script[1] == "apply_patch":
                self.patch(json.loads(script[2]))
                said = "{}"
            else:
                command = json.loads(script[2].removeprefix("{cmd: ").removesuffix("}"))
                self.commands.append(command)
                said = shell(command, self.folder)[1]
        except PatchFailed as failed:
            return [*self.told("failed"), {"type": "input_text", "text": f"Script error:\n{failed}"}]
        return [*self.told("completed"), {"type": "input_text", "text": said}]

    def told(self, how: str) -> list[Json]:
        return [{"type": "input_text", "text": f"Script {how}\nWall time 0.0 seconds\nOutput:\n"}]
