"""The person at the browser: what they see of Visual Studio Code, and what they do. `person.mjs` does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from tests.editors import installs
from tests.installs import OUTSIDE

PROGRAM = Path(__file__).parent / "person.mjs"
WAIT_MS = 60_000
END_S_MAX = 30


class Person:
    """Every method waits until what it is about is there, and fails with a picture of the screen where it does not come."""

    def __init__(self, process: subprocess.Popen[str], pictures: Path) -> None:
        self._process = process
        self.pictures = pictures

    def goes_to(self, url: str) -> None:
        self._do("goto", url=url)

    def sees(self, selector: str, text: str | None = None, *, wait_ms: int = WAIT_MS) -> str:
        """The text of the first such element that is visible; `text` is a pattern."""
        return cast(str, self._do("wait", selector=selector, text=text, timeout_ms=wait_ms))

    def sees_no_more(self, selector: str, text: str | None = None) -> None:
        self._do("wait", selector=selector, text=text, gone=True, timeout_ms=WAIT_MS)

    def reads(self, text: str) -> None:
        """A page that the editor shows inside itself says this."""
        self._do("reads", text=text, timeout_ms=WAIT_MS)

    def texts(self, selector: str) -> list[str]:
        """What all such elements say now."""
        return cast("list[str]", self._do("texts", selector=selector))

    def attribute(self, selector: str, name: str) -> str | None:
        return cast("str | None", self._do("attribute", selector=selector, name=name))

    def style(self, selector: str, name: str) -> str:
        return cast(str, self._do("style", selector=selector, name=name))

    def property(self, selector: str, name: str) -> object:
        return self._do("property", selector=selector, name=name)

    def fills(self, selector: str, value: str) -> None:
        self._do("fill", selector=selector, value=value)

    def looks(self, width: int, height: int, scheme: str) -> None:
        """From now on the window is so large, and the scheme of colours `light` or `dark`."""
        self._do("look", width=width, height=height, scheme=scheme)

    def console(self) -> Sequence[str]:
        """What the page has written of late where nobody looks."""
        return cast("list[str]", self._do("console"))

    def clicks(self, selector: str, text: str | None = None) -> None:
        self._do("click", selector=selector, text=text)

    def hovers(self, selector: str, text: str | None = None) -> None:
        self._do("hover", selector=selector, text=text)

    def presses(self, keys: str) -> None:
        self._do("press", keys=keys)

    def types(self, text: str) -> None:
        self._do("type", text=text)

    def picture(self, name: str) -> Path:
        path = self.pictures / f"{name}.png"
        self._ask("screenshot", path=str(path))
        return path

    def refused(self) -> Sequence[str]:
        """Hosts beyond this machine that the page asked for in vain."""
        return cast("list[str]", self._do("refused"))

    def runs_tests(self, address: str, folder: Path, extension: Path, module: Path) -> None:
        """Have a module run inside the extension host; fails with its words unless it ends well."""
        code = self._do("tests", address=address, folder=str(folder), extension=str(extension), module=str(module), timeout_ms=2 * WAIT_MS)
        if code != 0:
            self.picture("tests-failed")
            raise AssertionError(f"the tests in the extension host ended with {code}:\n" + "\n".join(self.console()))

    def _do(self, verb: str, **what: object) -> object:
        answer = self._ask(verb, **what)
        if "error" in answer:
            picture = self.picture(f"failed-{verb}")
            raise AssertionError(f"{verb} {what}: {answer['error']}\nThe screen is in {picture}")
        return answer["value"]

    def _ask(self, verb: str, **what: object) -> Mapping[str, object]:
        said, heard = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        said.write(json.dumps({"verb": verb, **{name: value for name, value in what.items() if value is not None}}) + "\n")
        said.flush()
        line = heard.readline()
        assert line, f"the person left while asked to {verb} {what}"
        return cast("dict[str, object]", json.loads(line))


@contextmanager
def person(pictures: Path) -> Iterator[Person]:
    """Somebody at a browser of their own. Raises NotReady where there is none."""
    command = [str(installs.node() / "node"), str(PROGRAM), str(installs.playwright()), str(installs.chromium())]
    pictures.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=OUTSIDE, start_new_session=True)
    try:
        yield Person(process, pictures)
    finally:
        cast("IO[str]", process.stdin).close()
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
