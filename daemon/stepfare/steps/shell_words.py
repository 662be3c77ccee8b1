"""Cuts shell text into simple commands: words, redirections, here-documents, pipes. What a command means is the business of `shell`.

Agents' commands arrive truncated, quoted twice or in another shell's grammar, so nothing here can fail: what cannot be
read is taken as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT_CHARS_MAX = 32_768
"""The rest of a longer command is not looked at."""
COMMANDS_MAX = 200
DEPTH_MAX = 8
HEREDOC_CHARS_MAX = 8_192

_PLAIN = re.compile(r"[^\s'\"\\`$|&;<>()#]+")
_VARIABLE = re.compile(r"\w+|[@*#?!$-]")
_DELIMITER = re.compile(r"[ \t]*(?:'([^'\n]*)'|\"([^\"\n]*)\"|\\?([^\s;&|<>()'\"]+))")


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator` is one of > >> < <<<; only standard output and input are kept, never errors."""

    operator: str
    target: str


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command as the shell would see it, quotes removed. `piped` where it reads the output of the one before."""

    words: tuple[str, ...]
    redirects: tuple[Redirect, ...] = ()
    piped: bool = False
    heredoc: str = ""


def commands_of(text: str, *, windows: bool = False) -> list[Command]:
    """The simple commands of a shell text in order, those inside substitutions included.

    With `windows`, a backslash is part of a path and a backtick the escape, as in PowerShell.
    """
    lexer = _Lexer(text[:TEXT_CHARS_MAX], windows)
    lexer.scan(0)
    return lexer.commands


class _Lexer:
    def __init__(self, text: str, windows: bool) -> None:
        self.text = text
        self.windows = windows
        self.at = 0
        self.commands: list[Command] = []

    def scan(self, depth: int) -> None:
        """Read up to the end, or inside a substitution (depth > 0) up to and with the bracket that closes it."""
        text, end = self.text, len(self.text)
        words: list[str] = []
        redirects: list[Redirect] = []
        word: list[str] | None = None
        operator = ""
        piped = False
        heredoc = ""
        delimiters: list[tuple[str, bool]] = []
        open_brackets = 0

        def add(piece: str) -> None:
            nonlocal word
            if word is None:
                word = []
            word.append(piece)

        def close_word() -> None:
            nonlocal word, operator
            if word is None:
                return
            whole = "".join(word)
            word = None
            if operator:
                if operator in (">", ">>", "<", "<<<"):
                    redirects.append(Redirect(operator, whole))
                operator = ""
            else:
                words.append(whole)

        def close_command(next_piped: bool = False) -> None:
            nonlocal words, redirects, piped, operator, heredoc
            close_word()
            operator = ""
            if words or redirects:
                self.commands.append(Command(tuple(words), tuple(redirects), piped, heredoc))
            words, redirects, heredoc = [], [], ""
            piped = next_piped

        while self.at < end and len(self.commands) < COMMANDS_MAX:
            plain = _PLAIN.match(text, self.at)
            if plain is not None:
                add(plain.group())
                self.at = plain.end()
                continue
            char = text[self.at]
            following = text[self.at + 1 : self.at + 2]
            if char == "\n":
                self.at += 1
                if delimiters:
                    # The body belongs to the command before it, which may have ended with a pipe or a semicolon on that line.
                    body = self._heredocs(delimiters)
                    delimiters = []
                    if words or redirects or word is not None:
                        heredoc = body
                    elif self.commands:
                        last = self.commands[-1]
                        self.commands[-1] = Command(last.words, last.redirects, last.piped, body)
                close_command(next_piped=piped and not (words or redirects or word is not None))
            elif char in " \t\r\f\v" or char.isspace():
                close_word()
                self.at += 1
            elif char == "\\" and not self.windows:
                self.at += 2
                if following != "\n":
                    add(following)
            elif char == "\\":
                self.at += 1
                add(char)
            elif char == "'":
                stop = text.find("'", self.at + 1)
                stop = end if stop < 0 else stop
                add(text[self.at + 1 : stop])
                self.at = stop + 1
            elif char == '"':
                add(self._double_quoted(depth))
            elif char == "`":
                if self.windows:
                    self.at += 2
                    continue
                stop = text.find("`", self.at + 1)
                stop = end if stop < 0 else stop
                self._inside(text[self.at + 1 : stop], depth)
                add("$()")
                self.at = stop + 1
            elif char == "$":
                add(self._dollar(depth))
            elif char == "#":
                if word is None:
                    stop = text.find("\n", self.at)
                    self.at = end if stop < 0 else stop
                else:
                    word.append(char)
                    self.at += 1
            elif char == "|":
                close_command(next_piped=following != "|")
                self.at += 2 if following in ("|", "&") and following else 1
            elif char == "&":
                if following == ">":
                    close_word()
                    self.at += 3 if text.startswith("&>>", self.at) else 2
                    operator = ">"
                else:
                    close_command()
                    self.at += 2 if following == "&" else 1
            elif char == ";":
                close_command()
                self.at += 1
            elif char == "<":
                if following == "(" and depth < DEPTH_MAX:
                    self.at += 2
                    self.scan(depth + 1)
                    add("$()")
                elif text.startswith("<<<", self.at):
                    close_word()
                    self.at += 3
                    operator = "<<<"
                elif following == "<":
                    close_word()
                    delimiters += self._delimiter()
                else:
                    close_word()
                    self.at += 1
                    operator = "<"
            elif char == ">":
                descriptor = "".join(word) if word is not None else ""
                if descriptor.isdigit():
                    word = None
                else:
                    close_word()
                    descriptor = "1"
                self.at += 1
                kept = ">"
                if following == ">":
                    kept = ">>"
                    self.at += 1
                elif following == "|":
                    self.at += 1
                elif following == "&":
                    kept = "dup"
                    self.at += 1
                operator = kept if descriptor == "1" else "errors"
            elif char == "(":
                open_brackets += 1
                close_command()
                self.at += 1
            else:  # a closing bracket
                self.at += 1
                close_command()
                if open_brackets:
                    open_brackets -= 1
                elif depth:
                    return
        close_command()

    def _delimiter(self) -> list[tuple[str, bool]]:
        """After `<<`: the word that ends the here-document, and whether tabs before it are allowed."""
        self.at += 2
        dashed = self.text.startswith("-", self.at)
        found = _DELIMITER.match(self.text, self.at + dashed)
        if found is None:
            return []
        self.at = found.end()
        return [(found.group(1) or found.group(2) or found.group(3) or "", dashed)]

    def _heredocs(self, delimiters: list[tuple[str, bool]]) -> str:
        bodies: list[str] = []
        for delimiter, dashed in delimiters:
            start = self.at
            while True:
                line_end = self.text.find("\n", self.at)
                line = self.text[self.at : line_end if line_end >= 0 else len(self.text)]
                if (line.lstrip("\t") if dashed else line).rstrip("\r ") == delimiter or line_end < 0:
                    bodies.append(self.text[start : self.at])
                    self.at = line_end + 1 if line_end >= 0 else len(self.text)
                    break
                self.at = line_end + 1
        return "".join(bodies)[:HEREDOC_CHARS_MAX]

    def _double_quoted(self, depth: int) -> str:
        text, end = self.text, len(self.text)
        self.at += 1
        start = self.at
        pieces: list[str] = []
        while self.at < end:
            char = text[self.at]
            if char == '"':
                break
            if char == "\\" and not self.windows:
                pieces.append(text[start : self.at])
                # Inside double quotes the shell keeps a backslash that escapes nothing.
                follower = text[self.at + 1 : self.at + 2]
                pieces.append(follower if follower in '"\\$`' else "" if follower == "\n" else "\\" + follower)
                self.at += 2
                start = self.at
            elif char == "$" and text.startswith("$(", self.at):
                pieces.append(text[start : self.at])
                pieces.append(self._dollar(depth))
                start = self.at
            elif char == "`" and not self.windows:
                pieces.append(text[start : self.at])
                stop = text.find("`", self.at + 1)
                stop = end if stop < 0 else stop
                self._inside(text[self.at + 1 : stop], depth)
                self.at = stop + 1
                start = self.at
            else:
                self.at += 1
        pieces.append(text[start : self.at])
        self.at += 1
        return "".join(pieces)

    def _dollar(self, depth: int) -> str:
        text = self.text
        if text.startswith("$((", self.at):
            stop = text.find("))", self.at)
            if stop > 0:
                found = text[self.at : stop + 2]
                self.at = stop + 2
                return found
        if text.startswith("$(", self.at) and depth < DEPTH_MAX:
            self.at += 2
            self.scan(depth + 1)
            return "$()"
        if text.startswith("${", self.at):
            stop = text.find("}", self.at)
            stop = len(text) if stop < 0 else stop
            found = text[self.at : stop + 1]
            self.at = stop + 1
            return found
        if text.startswith("$'", self.at):
            stop = text.find("'", self.at + 2)
            stop = len(text) if stop < 0 else stop
            found = text[self.at + 2 : stop]
            self.at = stop + 1
            return found
        name = _VARIABLE.match(text, self.at + 1)
        start = self.at
        self.at = name.end() if name is not None else self.at + 1
        return text[start : self.at]

    def _inside(self, text: str, depth: int) -> None:
        """Commands of a back-quoted substitution, which is a text of its own."""
        if depth < DEPTH_MAX:
            inner = _Lexer(text, self.windows)
            inner.scan(depth + 1)
            self.commands += inner.commands
