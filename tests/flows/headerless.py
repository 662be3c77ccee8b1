"""Clients that send nothing by which their sessions could be told: Cline 3, classic Cline, Continue and aider, each with the prompts it
builds, what it writes into them anew, what it cuts, and the calls that it makes beside its conversation. The model that answers them
says much the same to all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from aiohttp import web

from tests.fakes.provider import Play, Provider, refusal, stream, whole

Message = dict[str, Any]

PHRASES = ("I will look at it.", "Let me read the file first.", "", "Next, the tests.", "Found it.", "Ok.")
REPORTS = ("Done.", "All tests pass now.", "I changed the limit. Is there anything else?", "Done. The total is right now.")
FILES = ("shop/total.py", "shop/limits.py", "tests/test_total.py", "README.md")
ASKS = ("Go on, please.", "And now the tests.", "Thanks, what about the callers?", "No, undo that and try again.", "Why?")
TASKS = (
    *("Fix the failing test in tests/test_total.py", "Explain what shop/total.py does", "Add a limit to the list of orders"),
    *("Rename total to sum_of", "Write tests for the limits", "Mend the rounding of prices", "Why is the start so slow?"),
    *("Use the new client everywhere", "Sort the orders by date", "Remove the old parser", "Log less", "Make it faster"),
)
BUSY_S = 0.1
FOLDERS = ("/home/dev/shop", "/home/dev/site", "/srv/work")


class Left(Enum):
    """When a client hangs up: never, before the answer begins, or in the middle of it."""

    NOT = "not"
    EARLY = "early"
    MIDWAY = "midway"


@dataclass(frozen=True)
class Ask:
    """A request as it is sent, and whose it is. A call beside the conversation changes nothing of it."""

    truth: str
    body: dict[str, Any]
    headers: dict[str, str]
    beside: str = ""
    left: Left = Left.NOT


@dataclass
class Answer:
    text: str
    calls: list[dict[str, Any]]


@dataclass
class Agent:
    """One session: what it asks next, and what it makes of the answer. `truth` is its own name, `parent` that of where it comes from."""

    truth: str
    task: str
    folder: str
    dice: random.Random
    parent: str = ""
    messages: list[Message] = field(default_factory=list)
    steps: int = 0
    said: list[str] = field(default_factory=list)
    beside: list[Ask] = field(default_factory=list)
    born: list[Agent] = field(default_factory=list)
    """Subagents that it has just sent out."""

    headers: dict[str, str] = field(default_factory=dict)

    def next(self) -> Ask:
        left = self.dice.choices((Left.NOT, Left.EARLY, Left.MIDWAY), (96, 2, 2))[0]
        return Ask(self.truth, self.body(), self.headers, left=left)

    def body(self) -> dict[str, Any]:
        raise NotImplementedError

    def take(self, ask: Ask, answer: Answer) -> None:
        """What was answered; for a call beside the conversation, only a summary changes anything."""
        raise NotImplementedError

    def fork(self, truth: str) -> Agent:
        """The same conversation, gone on with from an earlier point: its last human turn is another one."""
        other = deepcopy(self)
        other.truth, other.parent, other.beside, other.born = truth, self.truth, [], []
        other.dice = random.Random(self.dice.random())
        other.go_back()
        return other

    def go_back(self) -> None:
        """To before the last answer but one, with other words."""
        answers = [place for place, message in enumerate(self.messages) if message["role"] == "assistant"]
        self.messages = self.messages[: answers[-2]]
        self.messages += [{"role": "assistant", "content": "Let me think."}] if self.messages[-1]["role"] == "user" else []
        self.messages.append(self.human(f"Another way, please: number {self.dice.randint(0, 10_000)}"))

    def human(self, words: str) -> Message:
        return {"role": "user", "content": words}

    @property
    def answered(self) -> int:
        return sum(message["role"] == "assistant" for message in self.messages)


def _tools(*names: str) -> list[Message]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return [{"type": "function", "function": {"name": name, "description": name, "parameters": schema}} for name in names]


class _WithTools(Agent):
    """What Cline 3 and Continue share: tools of the wire format, with results in messages of their own."""

    def take(self, ask: Ask, answer: Answer) -> None:
        if ask.beside:
            self.summed_up(ask, answer)
            return
        self.steps += 1
        message: Message = {"role": "assistant", "content": answer.text or None}
        if answer.calls:
            message["tool_calls"] = answer.calls
        self.messages.append(message)
        for call in answer.calls:
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": self.result(call)})
        if not answer.calls:
            self.finished(answer)
            self.messages.append(self.human(self.dice.choice(ASKS)))
        self.perhaps_cut()

    def result(self, call: dict[str, Any]) -> str:
        return json.dumps([{"query": call["function"]["arguments"], "result": f"line {self.dice.randint(1, 99)}", "success": True}])

    def summed_up(self, ask: Ask, answer: Answer) -> None:
        """Nothing came of a call beside the conversation."""

    def finished(self, answer: Answer) -> None:
        """An answer without calls."""

    def perhaps_cut(self) -> None:
        """What the client does to a history that grows too long."""


class Cline(_WithTools):
    """Cline 3. Its own compaction keeps the task with a notice behind it, and the latest turns. Plan mode has another system text and
    other tools. A subagent has a system text and a task that its parent's model wrote."""

    role: str = ""

    def body(self) -> dict[str, Any]:
        if not self.messages:
            self.messages = [self.human(self.task)]
            self.headers = {"user_agent": "ai-sdk/openai-compatible/3.0.37 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"}
        plan = "\n# Plan Mode\n" if self.steps in (1, 2) and self.dice.random() < 0.5 else ""
        env = f"<env>\n1. Platform: linux\n2. Date: 2026-11-28\n4. Working Directory: {self.folder}\n</env>{plan}"
        system = self.role or f"You are a coding agent that works in the user's own folder.\n\n{env}"
        offered = _tools(
            "read_files", "search_codebase", "run_commands", *(() if plan else ("editor",)), *(() if self.role else ("spawn_agent",))
        )
        messages = [{"role": "system", "content": system}, *self.messages]
        return {
            "model": "auto",
            "messages": messages,
            "tools": offered,
            "tool_choice": "auto",
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def result(self, call: dict[str, Any]) -> str:
        if call["function"]["name"] == "spawn_agent":
            told = json.loads(call["function"]["arguments"])
            child = Cline(f"{self.truth}/{len(self.said)}", told["task"], self.folder, random.Random(self.dice.random()), parent=self.truth)
            child.role = told["systemPrompt"]
            self.said.append(child.truth)
            self.born.append(child)
        return super().result(call)

    def perhaps_cut(self) -> None:
        if self.answered > 8 and self.dice.random() < 0.15:
            notice = {"type": "text", "text": "<SYSTEM_NOTICE>\nEarlier context was compacted\n</SYSTEM_NOTICE>"}
            first = self.messages[0]["content"]
            start = next(place for place in range(len(self.messages) - 4, 0, -1) if self.messages[place]["role"] == "assistant")
            self.messages = [
                {"role": "user", "content": [{"type": "text", "text": first} if isinstance(first, str) else first[0], notice]},
                *self.messages[start:],
            ]


class Continue(_WithTools):
    """Continue: a title is asked for after the first answer; a summary, asked for within the conversation, takes its place; a session
    that is resumed has another state of git in its system text."""

    git: str = "Working tree clean"
    titled: bool = False

    def body(self) -> dict[str, Any]:
        if not self.messages:
            self.messages = [self.human(self.task)]
            self.headers = {"user_agent": "ls/JS 5.23.2", "x_stainless_lang": "js"}
        return self._asked(self.messages)

    def _asked(self, messages: list[Message]) -> dict[str, Any]:
        system = (
            f"You are an agent in the Continue CLI. Use the tools you have.\n\n<env>\nWorking directory: {self.folder}\n</env>\n\n"
            f'<context name="gitStatus">{self.git}</context>\n'
        )
        offered = _tools("Read", "Write", "List", "Bash", "Fetch", "Checklist", "AskQuestion", "Edit")
        return {
            "model": "auto",
            "messages": [{"role": "system", "content": system}, *messages],
            "tools": offered,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def finished(self, answer: Answer) -> None:
        if not self.titled:
            self.titled = True
            words = "Given the following... please reply with a title for the chat that is 3-4 words in length, all words used should be"
            asked = [{"role": "user", "content": f"{words} directly related to the content of the chat.\n\n{answer.text}"}]
            body = {"model": "auto", "messages": asked, "stream": False, "max_tokens": 16}
            self.beside.append(Ask(self.truth, body, self.headers, beside="title"))
        if self.answered > 6 and self.dice.random() < 0.3:
            words = "Please provide a concise summary of our conversation so far, capturing the key context, decisions and open ends."
            self.beside.append(Ask(self.truth, self._asked([*self.messages, self.human(words)]), self.headers, beside="compaction"))
        if self.dice.random() < 0.2:
            self.git = f"{self.dice.randint(1, 9)} files changed"

    def summed_up(self, ask: Ask, answer: Answer) -> None:
        if ask.beside == "compaction":
            self.messages = [{"role": "assistant", "content": answer.text}, self.messages[-1]]


class ClassicCline(Agent):
    """Classic Cline: tools as XML in texts, the hour and the open tabs behind every turn of the user's, results as texts. Too long a
    history loses its middle, and files that were read twice their first copy."""

    clock: int = 0

    def body(self) -> dict[str, Any]:
        if not self.messages:
            self.headers = {"user_agent": "Cline/3.82.0", "x_stainless_retry_count": "0"}
            self.messages = [self.human(f"<task>\n{self.task}\n</task>", first=True)]
        system = (
            "You are Cline, a highly skilled software engineer.\n\nTOOL USE\n\nTool uses are formatted using XML-style tags.\n"
            f"<attempt_completion>\n<result>text</result>\n</attempt_completion>\n\nCurrent Working Directory: {self.folder}\n"
        )
        messages = [{"role": "system", "content": system}, *self.messages]
        return {"model": "auto", "messages": messages, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}

    def human(self, words: str, *, first: bool = False) -> Message:
        self.clock += 1
        files = f"# Current Working Directory ({self.folder}) Files\nshop/\ntests/\n\n" if first else ""
        details = (
            f"<environment_details>\n# Cline CLI - Node.js Visible Files\n{self.dice.choice(FILES)}\n\n"
            f"# Current Time\n28/11/2026, 10:{self.clock:02}:00\n\n"
            f"{files}# Context Window Usage\n{18_000 + self.clock * 500:,} / 128K tokens used (15%)\n\n"
            "# Current Mode\nACT MODE\n</environment_details>"
        )
        return {"role": "user", "content": [{"type": "text", "text": words}, {"type": "text", "text": details}]}

    def take(self, ask: Ask, answer: Answer) -> None:
        self.steps += 1
        self.messages.append({"role": "assistant", "content": answer.text})
        if "<attempt_completion>" in answer.text:
            self.messages.append(self.human(f"<feedback>\n{self.dice.choice(ASKS)}\n</feedback>"))
        else:
            path = answer.text.partition("<path>")[2].partition("</path>")[0]
            self.messages.append(self.human(f"[read_file for '{path}'] Result:\ndef total():\n    return {self.dice.randint(1, 99)}"))
        if self.answered > 5 and self.dice.random() < 0.15:
            notice = "[NOTE] Some previous conversation history with the user has been removed to maintain optimal context window length."
            self.messages = [
                self.messages[0],
                {"role": "assistant", "content": notice},
                *self.messages[-4:][self.messages[-4]["role"] == "assistant" :],
            ]
        elif self.answered > 3 and self.dice.random() < 0.1:
            read = next((one for one in self.messages[1:-2] if "Result:" in str(one["content"])), None)
            if read is not None:
                read["content"] = [{"type": "text", "text": "[[NOTE] This file read has been removed to save space]"}, read["content"][1]]

    def go_back(self) -> None:
        """A checkpoint is restored: the history ends with an earlier turn of the user's, and his new words."""
        answers = [place for place, message in enumerate(self.messages) if message["role"] == "assistant"]
        self.messages = [
            *self.messages[: answers[-2] + 1],
            self.human(f"<feedback>\nAnother way: {self.dice.randint(0, 10_000)}\n</feedback>"),
        ]


class Aider(Agent):
    """aider: its prompt is made anew at each step around what was said, with the present state of the files; it works in no folder that
    it names, and asks for a commit message after each edit."""

    edits: int = 0

    def body(self) -> dict[str, Any]:
        if not self.messages:
            self.headers = {"user_agent": "OpenAI/Python 2.20.0"}
            self.messages = [self.human(self.task)]
        rules = "# *SEARCH/REPLACE block* Rules:\n\nEvery *SEARCH/REPLACE block* must use this format."
        messages = [
            {"role": "system", "content": f"Act as an expert software developer.\nAlways use best practices when coding.\n\n{rules}"},
            self.human("Change get_factorial() to use math.factorial"),
            {"role": "assistant", "content": "To make this change we need to modify `mathweb/flask/app.py` to import the math package."},
            self.human("I switched to a new code base. Please don't consider the above files or try to edit them any longer."),
            {"role": "assistant", "content": "Ok."},
            self.human(f"Here are summaries of some files present in my git repository.\n\nshop/: {self.edits} definitions"),
            {"role": "assistant", "content": "Ok, I won't try and edit those files without asking first."},
            *self.messages[:-1],
            self.human(
                f"I have *added these files to the chat* so you can go ahead and edit them.\n\nshop/total.py\n```\nstate {self.edits}\n```"
            ),
            {"role": "assistant", "content": "Ok, any changes I propose will be to those files."},
            self.messages[-1],
            {"role": "system", "content": rules},
        ]
        return {"model": "auto", "messages": messages, "temperature": 0, "stream": True}

    def take(self, ask: Ask, answer: Answer) -> None:
        if ask.beside:
            return
        self.steps += 1
        self.messages.append({"role": "assistant", "content": answer.text})
        if "SEARCH" in answer.text:
            self.edits += 1
            talk = "".join(f"\n{one['role'].upper()}: {one['content']}\n" for one in self.messages[-2:])
            told = f"{talk}\ndiff --git a/shop/total.py b/shop/total.py\n+state {self.edits}"
            system = "You are an expert software engineer that generates concise, one-line Git commit messages based on the provided diffs."
            asked = [{"role": "system", "content": system}, {"role": "user", "content": told}]
            self.beside.append(
                Ask(self.truth, {"model": "auto", "messages": asked, "temperature": 0}, self.headers, beside="commit message")
            )
        self.messages.append(self.human(f"{self.dice.choice(ASKS)} Part {self.dice.randint(1, 99)}."))
        if self.answered > 6 and self.dice.random() < 0.1:
            self.messages = [
                self.human(f"I spoke to you previously about a number of things.\n{self.messages[0]['content']} and more"),
                {"role": "assistant", "content": "Ok."},
                *self.messages[-3:],
            ]


class Model(Provider):
    """Says what comes to its mind, often what it said to others before: the same to the same words asked as often, whoever else asks
    meanwhile. It numbers its calls anew in some conversations, takes its time, and now and then it is busy."""

    def __init__(self, seed: int) -> None:
        super().__init__([Play()])
        self.seed = seed
        self.heard: Counter[bytes] = Counter()
        self.since_s: dict[str, float] = {}
        """When it was asked this conversation first."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.heard[raw] += 1
        body = json.loads(raw)
        dice = random.Random(f"{self.seed} {self.heard[raw]} {hashlib.sha256(raw).hexdigest()}")
        if self._is_busy(body, dice):
            self.script = [refusal(503, "busy")]
        else:
            self.script = [replace(self._play(body, dice), before_s=dice.random() * 0.02, pause_s=0.001)]
        return await super().answer(request)

    def _is_busy(self, body: dict[str, Any], dice: random.Random) -> bool:
        """For a moment, so that another try is answered; or for so long that the client hears of it, whoever is asked in its stead."""
        asked = json.dumps(body["messages"])
        now_s = asyncio.get_running_loop().time()
        since_s = self.since_s.setdefault(asked, now_s)
        return dice.random() < 0.02 or (random.Random(f"{self.seed} {asked}").random() < 0.02 and now_s - since_s < BUSY_S)

    def _play(self, body: dict[str, Any], dice: random.Random) -> Play:
        if not body.get("stream"):
            return whole(dice.choice(("Fix the total", "fix: mend the limit", "Orders and limits")) + f" {dice.randint(1, 3)}")
        first = str(body["messages"][0]["content"])
        last = str(body["messages"][-1]["content"])
        if "concise summary of our conversation" in last:
            return stream(f"The user wants the total mended; {dice.randint(0, 10_000)} lines were read so far.")
        if "SEARCH/REPLACE" in first:
            block = "<<<<<<< SEARCH\na = 1\n=======\na = 2\n>>>>>>> REPLACE" if dice.random() < 0.6 else "No change is needed."
            return stream(dice.choice(REPORTS) if dice.random() < 0.1 else f"Part {dice.randint(0, 99_999)} is mended so.\n\n{block}")
        if "XML-style" in first:
            return stream(self._xml(body))
        if dice.random() < 0.3:
            return stream(dice.choice(REPORTS) if dice.random() < 0.3 else f"Done: {dice.randint(0, 99_999)} lines are better now.")
        counted = int(hashlib.sha256(str(body["messages"][1]["content"]).encode()).hexdigest(), 16) % 4 == 0
        call_id = f"call_{len(body['messages'])}" if counted else f"call_{dice.getrandbits(64):016x}"
        offered = [tool["function"]["name"] for tool in body["tools"]]
        if "spawn_agent" in offered and dice.random() < 0.06:
            told = {
                "systemPrompt": "You find things in code.",
                "task": f"Find all callers of total_{dice.randint(0, 99_999)} and list them",
            }
            return stream("", call=(call_id, "spawn_agent", json.dumps(told)))
        name = "read_files" if "read_files" in offered else "Read"
        asked = {"files": [{"path": dice.choice(FILES)}]} if name == "read_files" else {"filepath": dice.choice(FILES)}
        return stream(dice.choice(PHRASES), call=(call_id, name, json.dumps(asked)))

    def _xml(self, body: dict[str, Any]) -> str:
        """At temperature 0 the same prompt is answered the same: of those that differ, many are too."""
        dice = random.Random(json.dumps(body["messages"]))
        if dice.random() < 0.25:
            return f"<attempt_completion>\n<result>\n{dice.choice(REPORTS)}\n</result>\n</attempt_completion>"
        return f"{dice.choice(PHRASES)}\n\n<read_file>\n<path>{dice.choice(FILES)}</path>\n</read_file>"


def troupe(dice: random.Random) -> Iterator[list[Agent]]:
    """Fifty sessions, those together that begin at the same moment with the same words in the same folder."""
    number = 0
    for kind, singles, twins in ((Cline, 8, 4), (ClassicCline, 8, 3), (Continue, 8, 2), (Aider, 4, 2)):
        for together in [*[1] * singles, *[2] * twins]:
            task = f"{dice.choice(TASKS)} {dice.choice(('', 'please', 'in the shop'))}".strip()
            folder = dice.choice(FOLDERS)
            yield [kind(f"{kind.__name__} {number + twin}", task, folder, random.Random(dice.random())) for twin in range(together)]
            number += together
