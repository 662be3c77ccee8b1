"""A client without tools, as aider is: files stand in the prompt, edits in the answer; it adds every file whose name the answer holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp

from tests.simulator.clients import ask, shell
from tests.simulator.clients_responses import patch

REFLECTIONS_MAX = 3
MARKS = re.compile(r"<<<<<<< SEARCH\n(.*?)\n?=======\n(.*?)\n?>>>>>>> REPLACE", re.DOTALL)

BLOCKS = """Act as an expert software developer.
Describe each change with a *SEARCH/REPLACE block* per the examples below.
4. *Concisely* suggest any shell commands the user might want to run in ```bash blocks.

# *SEARCH/REPLACE block* Rules:

Every *SEARCH/REPLACE block* must use this format:
"""
RULES = {
    "blocks": f"{BLOCKS}1. The *FULL* file path alone on a line, verbatim.\n2. The opening fence and code language, eg: ```python",
    "fenced": f"{BLOCKS}1. The opening fence and code language, eg: ```python\n2. The *FULL* file path alone on a line, verbatim.",
    "whole": "Act as an expert software developer.\n\nTo suggest changes to a file you MUST return the entire content.\n"
    "You MUST use this *file listing* format:",
    "diff": "Act as an expert software developer.\n\n# File editing rules:\n\nReturn edits similar to unified diffs.",
    "patch": "Act as an expert software developer.\n\nDescribe the changes using the V4A diff format.\n\n# V4A Diff Format Rules:",
    "ask": "Act as an expert code analyst.\nAnswer questions about the supplied code.",
    "architect": "Act as an expert architect engineer and provide direction to your editor engineer.",
    "context": "Act as an expert code analyst.\nUnderstand the user's question or request, solely to determine ALL the files to modify.",
    "editor": f"Act as an expert software developer who edits source code.\n{BLOCKS}1. The *FULL* file path alone on a line, verbatim.",
}


class Aider:
    """`form` names the rules; `shown` are the files in the chat, `said` all answers."""

    form = "blocks"
    fence = "```"
    test_command = ""
    adds_files = True

    def __init__(self, base_url: str, folder: Path, *shown: str) -> None:
        self.base_url = base_url
        self.folder = folder
        self.shown = list(shown)
        self.told: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.edited: list[str] = []

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def messages(self) -> list[dict[str, Any]]:
        rules = RULES[self.form]
        reminder = rules[rules.index("\n\n") :] if "\n\n" in rules else ""
        others = [name for name in self.files() if name not in self.shown]
        names = "\n\n".join(f"{name}:\n⋮\n│def something():\n⋮" if name.endswith(".py") else name for name in others)
        summaries = f"Here are summaries of some files present in my git repository.\nDo not propose changes to these files.\n\n{names}\n"
        framed: list[dict[str, Any]] = [
            {"role": "system", "content": rules},
            {"role": "user", "content": "Change get_factorial() to use math.factorial"},
            {"role": "assistant", "content": "mathweb/app.py\n```python\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```"},
            {"role": "user", "content": "I switched to a new code base. Please don't consider the above files."},
            {"role": "assistant", "content": "Ok."},
            {"role": "user", "content": summaries},
            {"role": "assistant", "content": "Ok, I won't try and edit those files without asking first."},
        ]
        closing = self.fence.replace("<", "</")
        shown = "\n".join(f"\n{name}\n{self.fence}\n{(self.folder / name).read_text()}{closing}\n" for name in self.shown)
        head = "I have *added these files to the chat* so you can go ahead and edit them.\n\n*Trust this message!*\n"
        if self.shown:
            framed += [{"role": "user", "content": head + shown}, {"role": "assistant", "content": "Ok."}]
        told = [dict(message) for message in self.told]
        told[-1]["content"] += reminder
        return [*framed, *told]

    async def work(self, session: aiohttp.ClientSession, task: str) -> str:
        self.told.append({"role": "user", "content": task})
        for _ in range(REFLECTIONS_MAX + 1):
            message = await ask(session, self.base_url, {"model": "simulator/balanced", "messages": self.messages(), "temperature": 0})
            said = message["content"]
            self.said.append(said)
            self.told.append({"role": "assistant", "content": said})
            again = self.answered(said)
            if not again:
                return said
            self.told.append({"role": "user", "content": again})
        return self.said[-1]

    def answered(self, said: str) -> str:
        """What the client says next on its own; empty where it is done."""
        words = {word.strip("\"'`*_").rstrip(",.!;:?") for word in said.split()}
        mentioned = [name for name in self.files() if name not in self.shown and (name in words or Path(name).name in words)]
        if mentioned and self.adds_files:
            self.shown += mentioned
            return f"I added these files to the chat: {', '.join(mentioned)}\nLet me know if there are others we should add."
        if self.apply(said) and self.test_command:
            code, output = shell(self.test_command, self.folder)
            if code:
                return f"I ran this command:\n\n{self.test_command}\n\nAnd got this output:\n\n{output}\n"
        return ""

    def apply(self, said: str) -> bool:
        if self.form in ("blocks", "editor", "fenced"):
            closing = self.fence.replace("<", "</")
            above = rf"{self.fence}\w*\n(\S+)\n" if self.form == "fenced" else rf"^(\S+)\n{self.fence}\w*\n"
            blocks = list(re.finditer(rf"{above}{MARKS.pattern}\n{closing}", said, re.DOTALL | re.MULTILINE))
            assert len(blocks) == said.count("<<<<<<< SEARCH")
            for block in blocks:
                self.replace(block[1], block[2], block[3])
            return bool(blocks)
        if self.form == "whole":
            lines = said.split("\n")
            fences = [index for index, line in enumerate(lines) if line.startswith(self.fence)]
            for start, end in zip(fences[::2], fences[1::2], strict=True):
                self.write(lines[start - 1], "\n".join([*lines[start + 1 : end], ""]))
            return bool(fences)
        if self.form == "diff":
            found = re.search(r"```diff\n--- (\S+)\n\+\+\+ \1\n(.*?)\n```", said, re.DOTALL)
            for hunk in re.split(r"^@@ \.\.\. @@\n", found[2] + "\n", flags=re.MULTILINE)[1:] if found else []:
                old = "\n".join(line[1:] for line in hunk.splitlines() if line[0] == "-")
                self.replace(found[1] if found else "", old, "\n".join(line[1:] for line in hunk.splitlines() if line[0] == "+"))
            return bool(found)
        if self.form == "patch" and "*** Begin Patch" in said:
            assert said.startswith("*** Begin Patch\n")
            patch(self.folder, said[: said.index("*** End Patch") + len("*** End Patch")])
            self.edited.append("patch")
            return True
        return False

    def replace(self, name: str, old: str, new: str) -> None:
        content = (self.folder / name).read_text()
        assert content.count(old) == 1, old
        self.write(name, content.replace(old, new))

    def write(self, name: str, content: str) -> None:
        assert name in self.shown, "only files in the chat may be edited"
        (self.folder / name).write_text(content)
        self.edited.append(name)
