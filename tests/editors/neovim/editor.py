"""Neovim as it really is, without a screen: started with the plugin, and asked in Lua."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.desk import Desk

PLUGIN = Path(__file__).parents[3] / "integrations" / "neovim"
START_S_MAX = 30
WAIT_S_MAX = 30
LOOK_EVERY_S = 0.05
SET_UP = """
vim.opt.rtp:append({plugin!r})
vim.cmd("filetype on")
vim.cmd("runtime plugin/stepfare.lua")
vim.o.statusline = "%f%=%{{v:lua.require'stepfare'.statusline()}}"
Said, Asked = {{}}, {{}}
vim.notify = function(words) table.insert(Said, words) end
vim.lsp.handlers["window/showMessage"] = function(_, params) table.insert(Said, params.message) end
vim.lsp.handlers["window/showMessageRequest"] = function(_, params)
  table.insert(Asked, params.message)
  return Press and vim.tbl_filter(function(action) return action.title:find(Press) end, params.actions)[1] or vim.NIL
end
vim.ui.open = function(url) Opened = url; return {{ wait = function() return {{ code = 0 }} end }} end
-- Neovim 0.11 made the functions of a client methods.
function Asks(client, method, params)
  if vim.fn.has("nvim-0.11") == 1 then
    return client:request_sync(method, params, 10000, 0)
  end
  return client.request_sync(method, params, 10000, 0)
end
require("stepfare").setup(vim.json.decode([=[{options}]=]))
"""
"""What a person's init.lua would say, and ears for what is shown."""


class Neovim:
    """One that runs. What it is asked is Lua that returns something."""

    def __init__(self, program: Path, socket: Path, folder: Path, environment: dict[str, str]) -> None:
        self._program = program
        self._socket = socket
        self._folder = folder
        self._environment = environment
        self._asked = 0

    def lua(self, code: str) -> Any:
        """What this Lua returns. Raises AssertionError with Neovim's words."""
        self._asked += 1
        script = self._folder / f"asked-{self._asked}.lua"
        script.write_text(code)
        expression = f"""luaeval('vim.json.encode({{ dofile(_A) }})', '{script}')"""
        done = subprocess.run(
            [self._program, "--server", self._socket, "--remote-expr", expression],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return json.loads(done.stdout)[0] if done.stdout.strip() not in ("{}", "[]") else None

    def until(self, code: str, seen: object = None) -> Any:
        """Waits until this Lua returns what is to be seen (anything, where that is None)."""
        until_s = time.monotonic() + WAIT_S_MAX
        while True:
            found = self.lua(code)
            if found == seen if seen is not None else found:
                return found
            assert time.monotonic() < until_s, f"waited in vain for {seen!r}; it says {found!r}"
            time.sleep(LOOK_EVERY_S)

    def edit(self, path: Path) -> None:
        self.lua(f"vim.cmd.edit('{path}') return true")

    def ask_server(self, method: str, params: str = "vim.empty_dict()") -> Any:
        """What the server answers the client of the current project."""
        return self.lua(f"""
            local client = require("stepfare.client").client()
            local answer = Asks(client, "{method}", {params})
            assert(not answer.err, vim.inspect(answer.err))
            return answer.result
        """)


@contextmanager
def editor(program: Path, desk: Desk, folder: Path, **options: object) -> Iterator[Neovim]:
    """One with the plugin set up; it must leave in good order."""
    folder.mkdir(exist_ok=True)
    socket, rc = folder / "nvim.sock", folder / "init.lua"
    options = {"cmd": [sys.executable, "-P", "-m", "stepfare_lsp", "--stdio"], **options}
    rc.write_text(SET_UP.format(plugin=str(PLUGIN), options=json.dumps(options)))
    environment = {**desk.environment, "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen(
        [program, "--clean", "--headless", "--listen", socket, "-c", f"luafile {rc}"],
        cwd=desk.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=(log := (folder / "nvim.log").open("wb")),
        stderr=subprocess.STDOUT,
    )
    try:
        until_s = time.monotonic() + START_S_MAX
        while not socket.exists():
            assert process.poll() is None, (folder / "nvim.log").read_text()
            assert time.monotonic() < until_s
            time.sleep(LOOK_EVERY_S)
        running = Neovim(program, socket, folder, environment)
        yield running
        running.lua("vim.defer_fn(function() vim.cmd('qall!') end, 200) return true")
        assert process.wait(START_S_MAX) == 0, (folder / "nvim.log").read_text()
    finally:
        log.close()
        if process.poll() is None:
            process.kill()
            process.wait()
