"""`stepfare connect` and `disconnect` on files as people have them, through the command line and a home of the test's own."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from stepfare.cli.connect.clients import CLIENTS
from stepfare.cli.connect.commands import connect, disconnect
from tests.connect.desk import TOKEN, URL, Desk

CLINE = ".cline/data/settings/providers.json"
STATE = ".cline/data/globalState.json"
SECRETS = ".cline/data/secrets.json"
CONTINUE = ".continue/config.yaml"

OWN_CLINE = """{
    "version": 1,
    "lastUsedProvider": "anthropic",
    "modes": {"voiceInput": {"providerId": "x", "modelId": "y"}},
    "providers": {
        "anthropic": {"settings": {"provider": "anthropic", "apiKey": "sk-mine"}, "updatedAt": "2026-01-01T00:00:00.000Z"},
        "openai-compatible": {
            "settings": {"provider": "openai-compatible", "baseUrl": "https://lab.example/v1", "apiKey": "sk-lab", "model": "lab-1",
                "headers": {"x-team": "a"}},
            "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "migration"
        }
    }
}"""
OWN_STATE = (
    '{"actModeApiProvider":"anthropic","planModeApiProvider":"anthropic","taskHistory":[{"id":"1"}],"openAiBaseUrl":"https://lab.example"}'
)
OWN_SECRETS = '{\n  "apiKey": "sk-mine"\n}\n'
OWN_CONTINUE = """# my settings
name: Mine
version: 1.0.0
schema: v1
models:
  # the usual one
  - name: Sonnet   # by the month
    provider: anthropic
    apiKey: ${{ secrets.ANTHROPIC }}

rules:
  - be kind
"""
CLAUDE = ".claude/settings.json"
CODEX = ".codex/config.toml"
AIDER, AIDER_MODELS = ".aider.conf.yml", ".aider.model.metadata.json"
OPENCODE = ".config/opencode/opencode.jsonc"
KILO = ".config/kilo/kilo.json"
QWEN = ".qwen/settings.json"
MINI = ".config/mini-swe-agent/.env"

OWN_CLAUDE = """{
  "permissions": {"allow": ["Bash(ls:*)"]},
  "env": {
    "ANTHROPIC_MODEL": "opus",
    "MY_OWN": "1"
  },
  "model": "opus"
}
"""
OWN_CODEX = """# how I like it
model = "gpt-6.1-sol"   # the big one
approval_policy = "on-request"

[model_providers.lab]
name = "lab"
base_url = "https://lab.example/v1"

[projects."/home/me/x"]
trust_level = "trusted"
"""
OWN_AIDER = """# aider
model: sonnet   # by the month
auto-commits: false
read: [CONVENTIONS.md]
"""
OWN_OPENCODE = """{
  // which model
  "model": "anthropic/claude-sonnet-5-5", // by the month
  "provider": {
    "lab": { "options": { "baseURL": "https://lab.example/v1" } }, /* mine */
  },
}
"""
OWN_QWEN = """{
  "security": {"auth": {"selectedType": "qwen-oauth"}},
  "modelProviders": {"openai": [{"id": "lab-1", "baseUrl": "https://lab.example/v1", "envKey": "LAB"}]},
  "ui": {"theme": "GitHub"} // bright
}
"""
OWN_MINI = "MSWEA_MODEL_NAME='anthropic/claude-sonnet-5-5'\nANTHROPIC_API_KEY='sk-mine'\nMSWEA_CONFIGURED='true'\n"
OWN = {
    "cline": {CLINE: OWN_CLINE},
    "cline-classic": {STATE: OWN_STATE, SECRETS: OWN_SECRETS},
    "continue": {CONTINUE: OWN_CONTINUE},
    "claude-code": {CLAUDE: OWN_CLAUDE},
    "codex": {CODEX: OWN_CODEX},
    "aider": {AIDER: OWN_AIDER, AIDER_MODELS: '{"lab/one": {"max_tokens": 1}}'},
    "opencode": {OPENCODE: OWN_OPENCODE},
    "kilo": {KILO: OWN_OPENCODE},
    "qwen": {QWEN: OWN_QWEN},
    "mini-swe-agent": {MINI: OWN_MINI},
}
NAMES = {client: client if client != "cline" else "cline3" for client in OWN}


@pytest.mark.parametrize("client", OWN)
def test_disconnecting_gives_back_every_byte(desk: Desk, client: str) -> None:
    desk.put(OWN[client])
    before = desk.everything()
    desk.connect(NAMES[client], "--url", URL)
    assert desk.everything() != before
    desk.disconnect(NAMES[client])
    assert desk.everything() == before


@pytest.mark.parametrize("client", OWN)
def test_an_empty_home_is_empty_again(desk: Desk, client: str) -> None:
    desk.connect(NAMES[client], "--url", URL)
    assert TOKEN.encode() in b"".join(desk.everything().values())
    desk.disconnect(NAMES[client])
    assert list(desk.home.iterdir()) == []


@pytest.mark.parametrize("client", OWN)
def test_connecting_twice_changes_nothing(desk: Desk, client: str) -> None:
    desk.put(OWN[client])
    desk.connect(NAMES[client], "--url", URL)
    once, kept = desk.everything(), _tree(desk.stepfare)
    again = desk.connect(NAMES[client], "--url", URL)
    assert [row["changed"] for row in _rows(again)] == [False]
    assert (desk.everything(), _tree(desk.stepfare)) == (once, kept)


@pytest.mark.parametrize("client", OWN)
def test_a_second_address_replaces_the_first_and_the_way_back_stays(desk: Desk, client: str) -> None:
    desk.put(OWN[client])
    before = desk.everything()
    desk.connect(NAMES[client], "--url", "http://127.0.0.1:1111")
    desk.connect(NAMES[client], "--url", URL)
    everything = b"".join(desk.everything().values())
    assert b"127.0.0.1:1111" not in everything
    assert URL.removesuffix("/v1").encode() in everything
    desk.disconnect(NAMES[client])
    assert desk.everything() == before


def test_cline_is_told_where_to_go_and_keeps_the_rest(desk: Desk) -> None:
    desk.put(OWN["cline"])
    desk.connect("cline3", "--url", URL)
    document = desk.json(CLINE)
    entry = _at(document, "providers", "openai-compatible")
    assert document["lastUsedProvider"] == "openai-compatible"
    assert _at(entry, "settings") == {
        "provider": "openai-compatible",
        "baseUrl": URL,
        "apiKey": TOKEN,
        "model": "auto",
        "contextWindow": 128000,
        "headers": {"x-team": "a"},
    }
    assert entry["updatedAt"] != "2026-01-01T00:00:00.000Z"
    untouched = [line for line in OWN_CLINE.splitlines() if "voiceInput" in line or "sk-mine" in line or "x-team" in line]
    assert all(line in desk.text(CLINE).splitlines() for line in untouched[:2])


def test_classic_cline_is_told_the_same_for_both_modes(desk: Desk) -> None:
    desk.put(OWN["cline-classic"])
    desk.connect("cline-classic", "--url", URL)
    state = desk.json(STATE)
    for mode in ("act", "plan"):
        assert state[f"{mode}ModeApiProvider"] == "openai"
        assert state[f"{mode}ModeOpenAiModelId"] == "auto"
        assert _at(state, f"{mode}ModeOpenAiModelInfo") | {"contextWindow": 128000, "inputPrice": 0, "outputPrice": 0} == _at(
            state, f"{mode}ModeOpenAiModelInfo"
        )
    assert (state["openAiBaseUrl"], state["welcomeViewCompleted"], state["taskHistory"]) == (URL, True, [{"id": "1"}])
    assert desk.json(SECRETS) == {"apiKey": "sk-mine", "openAiApiKey": TOKEN}


def test_continue_gets_one_model_before_its_own(desk: Desk) -> None:
    desk.put(OWN["continue"])
    desk.connect("continue", "--url", URL)
    entry = (
        "models:\n  - name: stepfare auto\n    provider: openai\n    model: auto\n"
        f'    apiBase: "{URL}"\n    apiKey: {TOKEN}\n    roles: [chat, edit, apply, summarize]\n    capabilities: [tool_use]\n'
        "    defaultCompletionOptions:\n      contextLength: 128000\n"
    )
    assert desk.text(CONTINUE) == OWN_CONTINUE.replace("models:\n", entry)


# What a person, or the client, does to the file between connecting and disconnecting, and what must stand there afterwards.


def test_what_cline_itself_rewrites_does_not_spoil_the_way_back(desk: Desk) -> None:
    desk.put(OWN["cline"])
    desk.connect("cline3", "--url", URL)
    document = desk.json(CLINE)
    _at(document, "providers", "openai-compatible")["updatedAt"] = "2027-01-01T00:00:00.000Z"
    desk.put({CLINE: json.dumps(document, indent=2)})
    desk.disconnect("cline3")
    assert desk.text(CLINE) == OWN_CLINE


def test_a_provider_added_to_cline_since_stays(desk: Desk) -> None:
    desk.put(OWN["cline"])
    desk.connect("cline3", "--url", URL)
    document = desk.json(CLINE)
    added = {"settings": {"provider": "groq"}, "updatedAt": "2027-01-01T00:00:00.000Z"}
    _at(document, "providers")["groq"] = added
    _at(document, "providers", "openai-compatible", "settings")["model"] = "premium"
    desk.put({CLINE: json.dumps(document, indent=2)})
    outcome = desk.disconnect("cline3")
    assert [file["outcome"] for file in _files(outcome)] == ["cleaned"]
    before = cast("dict[str, object]", json.loads(OWN_CLINE))
    _at(before, "providers")["groq"] = added
    assert desk.json(CLINE) == before


def test_an_entry_that_only_we_made_goes_as_a_whole(desk: Desk) -> None:
    own = '{"version":1,"modes":{},"providers":{}}'
    desk.put({CLINE: own})
    desk.connect("cline3", "--url", URL)
    document = desk.json(CLINE)
    _at(document, "providers", "openai-compatible", "settings")["headers"] = {"x-team": "a"}
    desk.put({CLINE: json.dumps(document)})
    desk.disconnect("cline3")
    assert desk.json(CLINE) == json.loads(own)


def test_an_entry_that_points_elsewhere_by_now_loses_only_our_key(desk: Desk) -> None:
    desk.put({CLINE: '{"version":1,"modes":{},"providers":{}}'})
    desk.connect("cline3", "--url", URL)
    document = desk.json(CLINE)
    _at(document, "providers", "openai-compatible", "settings")["baseUrl"] = "https://lab.example/v1"
    desk.put({CLINE: json.dumps(document)})
    desk.disconnect("cline3")
    entry = _at(desk.json(CLINE), "providers", "openai-compatible")
    assert "apiKey" not in _at(entry, "settings")
    # Cline refuses a file in which one entry has no provider or no time.
    assert (_at(entry, "settings")["provider"], _at(entry, "settings")["baseUrl"]) == ("openai-compatible", "https://lab.example/v1")
    assert {"updatedAt", "tokenSource"} <= entry.keys()


def test_what_classic_cline_wrote_since_stays(desk: Desk) -> None:
    desk.connect("cline-classic", "--url", URL)
    desk.put({STATE: json.dumps({**desk.json(STATE), "taskHistory": [{"id": "2"}]}, indent=2)})
    desk.disconnect("cline-classic")
    assert desk.everything() == {STATE: b'{\n  "taskHistory": [\n    {\n      "id": "2"\n    }\n  ]\n}'}


def test_another_provider_chosen_in_classic_cline_since_stays(desk: Desk) -> None:
    desk.put(OWN["cline-classic"])
    desk.connect("cline-classic", "--url", URL)
    desk.put({STATE: json.dumps({**desk.json(STATE), "actModeApiProvider": "ollama"})})
    desk.disconnect("cline-classic")
    assert desk.json(STATE) == {**json.loads(OWN_STATE), "actModeApiProvider": "ollama"}


def test_comments_and_models_added_to_continue_since_stay(desk: Desk) -> None:
    desk.put(OWN["continue"])
    desk.connect("continue", "--url", URL)
    added = "  # new\n  - name: Local   # free\n    provider: ollama\n\nrules:"
    desk.put({CONTINUE: desk.text(CONTINUE).replace("contextLength: 128000", "contextLength: 64000").replace("\nrules:", added)})
    desk.disconnect("continue")
    assert desk.text(CONTINUE) == OWN_CONTINUE.replace("\nrules:", added)


def test_a_model_of_continue_that_points_elsewhere_by_now_is_the_users(desk: Desk) -> None:
    desk.put(OWN["continue"])
    desk.connect("continue", "--url", URL)
    changed = desk.text(CONTINUE).replace(URL, "https://lab.example/v1")
    desk.put({CONTINUE: changed})
    desk.disconnect("continue")
    assert desk.text(CONTINUE) == changed


def test_edits_between_two_connects_survive_the_way_back(desk: Desk) -> None:
    desk.put(OWN["continue"])
    desk.connect("continue", "--url", "http://127.0.0.1:1111")
    desk.put({CONTINUE: desk.text(CONTINUE) + "# a thought\n"})
    desk.connect("continue", "--url", URL)
    desk.disconnect("continue")
    assert desk.text(CONTINUE) == OWN_CONTINUE + "# a thought\n"


def test_a_file_removed_since_stays_removed(desk: Desk) -> None:
    desk.put(OWN["continue"])
    desk.connect("continue", "--url", URL)
    (desk.home / CONTINUE).unlink()
    assert [file["outcome"] for file in _files(desk.disconnect("continue"))] == ["missing"]
    assert desk.everything() == {}


# Files as they may be.

BROKEN = {
    "cline": {CLINE: '{"version": 1, "providers": {,}}'},
    "cline-classic": {STATE: OWN_STATE, SECRETS: "[]"},
    "continue": {CONTINUE: "models:\n  - name: [\n"},
    "claude-code": {CLAUDE: '{"env": "none"}'},
    "codex": {CODEX: "model = \n"},
    "aider": {AIDER: "model: [a, b]\n"},
    "opencode": {OPENCODE: '{"provider": {"stepfare": []}}'},
    "kilo": {KILO: '{"model": "x",, }'},
    "qwen": {QWEN: '{"modelProviders": {"openai": {}}}'},
}


@pytest.mark.parametrize("client", BROKEN)
def test_a_broken_file_is_refused_with_words_and_nothing_is_changed(desk: Desk, client: str) -> None:
    desk.put(BROKEN[client])
    before = desk.everything()
    refusal = desk.connect(NAMES[client], "--url", URL, fails=1)
    words = str(refusal["words"])
    assert str(desk.home / list(BROKEN[client])[-1]) in words
    assert "was left alone" in words
    assert "Mend it" in words
    assert (desk.everything(), _tree(desk.stepfare)) == (before, {})


def test_a_file_broken_since_is_left_alone_and_the_way_back_stays(desk: Desk) -> None:
    desk.put(OWN["cline"])
    desk.connect("cline3", "--url", URL)
    whole = desk.text(CLINE)
    desk.put({CLINE: whole[:-3]})
    desk.disconnect("cline3", fails=1)
    assert desk.text(CLINE) == whole[:-3]
    desk.put({CLINE: whole})
    desk.disconnect("cline3")
    assert desk.text(CLINE) == OWN_CLINE


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_modes_stay_and_new_files_with_a_token_are_private(desk: Desk, mode: int) -> None:
    desk.put(OWN["continue"], mode)
    written = _files(desk.connect("continue", "--url", URL))
    assert _mode(desk.home / CONTINUE) == mode
    assert ("chmod 600" in str(written[0]["words"])) == (mode != 0o600)
    desk.disconnect("continue")
    assert _mode(desk.home / CONTINUE) == mode
    desk.connect("cline3", "--url", URL)
    desk.connect("cline-classic", "--url", URL)
    assert {_mode(desk.home / CLINE), _mode(desk.home / SECRETS)} == {0o600}
    assert all(_mode(path) == (0o700 if path.is_dir() else 0o600) for path in (desk.stepfare / "connect").rglob("*"))


def test_a_link_is_followed_and_stays_a_link(desk: Desk) -> None:
    desk.put({"dotfiles/continue.yaml": OWN_CONTINUE})
    link = desk.home / CONTINUE
    link.parent.mkdir()
    link.symlink_to("../dotfiles/continue.yaml")
    desk.connect("continue", "--url", URL)
    assert "stepfare auto" in desk.text("dotfiles/continue.yaml")
    desk.disconnect("continue")
    assert link.is_symlink()
    assert desk.text("dotfiles/continue.yaml") == OWN_CONTINUE


def test_a_second_file_that_cannot_be_written_takes_the_first_one_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put(OWN["cline-classic"])
    before = desk.everything()
    # A name as long as the file system allows leaves no room for the name of the new file beside it.
    long = desk.home / ("s" * 250)
    long.write_bytes(OWN_SECRETS.encode())
    (desk.home / SECRETS).unlink()
    (desk.home / SECRETS).symlink_to(long)
    assert "Nothing was changed" in str(desk.connect("cline-classic", "--url", URL, fails=1)["words"])
    assert desk.text(STATE).encode() == before[STATE]
    assert _tree(desk.stepfare) == {}


# Which client is meant, and what is told about it.


def _install(tmp_path: Path, name: str, version: str) -> None:
    package = tmp_path / "lib" / name
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": name, "version": version}))
    program = package / "bin" / name
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (tmp_path / "bin" / name).symlink_to(program)


@pytest.mark.parametrize(("version", "meant"), [("3.0.65", ["cline"]), ("2.18.0", ["cline-classic"]), ("", ["cline"])])
def test_the_name_cline_means_the_cline_that_is_here(desk: Desk, tmp_path: Path, version: str, meant: list[str]) -> None:
    if version:
        _install(tmp_path, "cline", version)
    assert [row["client"] for row in _rows(desk.connect("cline", "--url", URL))] == meant


def test_both_clines_are_connected_where_both_are_in_use(desk: Desk) -> None:
    desk.put({**OWN["cline"], **OWN["cline-classic"]})
    before = desk.everything()
    assert [row["client"] for row in _rows(desk.connect("cline", "--url", URL))] == ["cline", "cline-classic"]
    desk.disconnect("cline")
    assert desk.everything() == before


def test_the_list_says_what_is_here_and_where_it_goes(desk: Desk, tmp_path: Path) -> None:
    _install(tmp_path, "cn", "1.5.47")
    desk.connect("cline3", "--url", URL)
    rows = {str(row["client"]): row for row in _rows(desk.connect("--list"))}
    assert list(rows) == [client.id for client in CLIENTS]
    assert (rows["cline"]["connected"], rows["cline"]["base_url"]) == (True, URL)
    assert rows["cline"]["files"] == [str(desk.home / CLINE)]
    assert (rows["continue"]["found"], rows["continue"]["state"]) == (True, "not-connected")
    assert "version 1.5.47" in str(rows["continue"]["trace"])
    assert (rows["cline-classic"]["found"], rows["cline-classic"]["connected"]) == (False, False)
    desk.put({CLINE: desk.text(CLINE).replace(URL, "https://lab.example/v1")})
    changed = _rows(desk.connect("--list"))[0]
    assert (changed["state"], changed["connected"]) == ("changed", False)
    assert "https://lab.example/v1" in str(changed["words"])


def test_the_variables_that_move_a_clients_files_are_honoured(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINE_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("CONTINUE_GLOBAL_DIR", str(tmp_path / "k"))
    for client in ("cline3", "cline-classic", "continue"):
        desk.connect(client, "--url", URL)
    places = ("c/data/settings/providers.json", "c/data/globalState.json", "c/data/secrets.json", "k/config.yaml")
    assert [(tmp_path / place).is_file() for place in places] == [True] * 4
    assert desk.everything() == {}


def test_projects_of_continue_name_the_token_and_share_it(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put({".continue/.env": "OTHER=1\n"})
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / "src").mkdir()
        monkeypatch.chdir(tmp_path / name / "src")
        desk.connect("continue", "--project", "--url", URL)
    block = (tmp_path / "one/.continue/models/stepfare.yaml").read_text()
    assert TOKEN not in block
    assert 'apiKey: "${{ secrets.STEPFARE_TOKEN }}"' in block
    assert desk.text(".continue/.env") == f"OTHER=1\nSTEPFARE_TOKEN={TOKEN}\n"
    monkeypatch.chdir(tmp_path / "one")
    desk.disconnect("continue", "--project")
    assert not (tmp_path / "one/.continue").exists()
    # The other project still needs the token.
    assert desk.text(".continue/.env") == f"OTHER=1\nSTEPFARE_TOKEN={TOKEN}\n"
    desk.disconnect("continue")
    assert not (tmp_path / "two/.continue").exists()
    assert desk.text(".continue/.env") == "OTHER=1\n"


def test_a_file_of_the_users_choice_is_written_for_continue_only(desk: Desk, tmp_path: Path) -> None:
    desk.connect("continue", "--file", "own.yaml", "--url", URL)
    assert "stepfare auto" in (tmp_path / "own.yaml").read_text()
    assert "fixed place" in str(desk.connect("cline3", "--file", "own.json", "--url", URL, fails=1)["words"])
    assert "--user" in str(desk.connect("cline3", "--project", "--url", URL, fails=1)["words"])
    desk.disconnect("continue", "--file", "own.yaml")
    assert not (tmp_path / "own.yaml").exists()


def test_an_unknown_client_and_one_that_is_not_connected_are_said_so(desk: Desk) -> None:
    assert "continue" in str(desk.connect("clime", "--url", URL, fails=2)["words"])
    assert desk.connect("--url", URL, fails=2)["error"] == "unknown-client"
    assert desk.disconnect("continue", fails=1)["error"] == "not-connected"


# What the client is told: address, token, window.


@pytest.fixture
def daemon() -> Iterator[Callable[..., int]]:
    """Starts a server that tells its mode and lists models as the daemon does, to whoever has the token, and gives its port."""
    servers: list[ThreadingHTTPServer] = []

    def start(listing: object, mode: str = "live") -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers["authorization"] == f"Bearer {TOKEN}"
                answers = {"/health": {"status": "ok", "mode": mode}, "/v1/models": listing}
                body = json.dumps(answers.get(self.path)).encode()
                self.send_response(404 if self.path not in answers else 200 if known or self.path == "/health" else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _daemon_json(desk: Desk, port: int, token: str = TOKEN) -> Path:
    path = desk.stepfare / "daemon.json"
    fields = {"protocol": 1, "version": "0", "pid": 1, "port": port, "started_ms": 0, "local_token": token, "control_token": "c"}
    path.write_text(json.dumps(fields))
    path.chmod(0o600)
    return path


def test_address_token_and_window_are_the_daemons(desk: Desk, daemon: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPFARE_TOKEN")
    port = daemon({"data": [{"id": "auto", "context_length": 64000}, {"id": "lab/small", "context_length": 32000}]})
    _daemon_json(desk, port)
    desk.connect("cline3")
    settings = _at(desk.json(CLINE), "providers", "openai-compatible", "settings")
    assert (settings["baseUrl"], settings["apiKey"], settings["contextWindow"]) == (f"http://127.0.0.1:{port}/v1", TOKEN, 64000)


def test_a_daemon_that_does_not_answer_leaves_the_window_as_it_was_told(
    desk: Desk, daemon: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{daemon({'data': [{'id': 'auto', 'context_length': 64000}]})}"
    desk.connect("cline3", "--url", url)
    monkeypatch.setenv("STEPFARE_TOKEN", "sk-another")  # which the daemon does not know
    desk.connect("cline3", "--url", url)
    settings = _at(desk.json(CLINE), "providers", "openai-compatible", "settings")
    assert (settings["apiKey"], settings["contextWindow"]) == ("sk-another", 64000)


@pytest.mark.parametrize("listing", [{}, [], {"data": [1, {"id": "auto"}]}, {"data": [{"id": "auto", "context_length": "many"}]}])
def test_a_strange_list_of_models_gives_the_usual_window(desk: Desk, daemon: Callable[..., int], listing: object) -> None:
    desk.connect("cline3", "--url", f"http://127.0.0.1:{daemon(listing)}")
    assert _at(desk.json(CLINE), "providers", "openai-compatible", "settings")["contextWindow"] == 128000


def test_the_simulators_window_is_not_what_a_client_is_told(desk: Desk, daemon: Callable[..., int]) -> None:
    desk.connect("cline3", "--url", f"http://127.0.0.1:{daemon({'data': [{'id': 'auto', 'context_length': 400000}]}, 'simulator')}")
    assert _at(desk.json(CLINE), "providers", "openai-compatible", "settings")["contextWindow"] == 128000


def test_a_daemon_that_never_ran_has_no_token_to_tell(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPFARE_TOKEN")
    assert "stepfare serve" in str(desk.connect("cline3", fails=1)["words"])
    assert desk.everything() == {}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v1"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/v1"),
        ("https://route.example/x/v1/", "https://route.example/x/v1"),
    ],
)
def test_an_address_is_taken_as_people_write_it(desk: Desk, url: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepfare.cli.connect.endpoint.ask_for_window", lambda base_url, token: 0)
    desk.connect("cline3", "--url", url)
    assert _at(desk.json(CLINE), "providers", "openai-compatible", "settings")["baseUrl"] == told


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "http://127.0.0.1:notaport", "http://127.0.0.1:99999", "http://u:p@127.0.0.1:1", "http://x?y=1"]
)
def test_what_is_no_address_is_refused(desk: Desk, url: str) -> None:
    assert "not an address" in str(desk.connect("cline3", "--url", url, fails=1)["words"])
    assert desk.everything() == {}


def test_a_file_of_tokens_that_others_may_read_is_not_trusted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPFARE_TOKEN")
    _daemon_json(desk, 4884).chmod(0o644)
    assert "not trusted" in str(desk.connect("cline3", fails=1)["words"])


def test_a_damaged_record_names_the_copy(desk: Desk) -> None:
    desk.put(OWN["cline"])
    desk.connect("cline3", "--url", URL)
    (desk.stepfare / "connect/cline/manifest.json").write_text("{")
    assert ".before" in str(desk.disconnect("cline3", fails=1)["words"])


def test_people_are_told_in_words(desk: Desk) -> None:
    desk.put(OWN["continue"])
    told = CliRunner().invoke(connect, ["continue", "--url", URL]).stdout
    assert str(desk.home / CONTINUE) in told
    assert "Copy of what was there" in told
    assert TOKEN not in told
    listed = CliRunner().invoke(connect, ["--list"]).stdout
    assert f"continue       found      connected      {URL} (user)" in listed.splitlines()
    assert "put back as it was" in CliRunner().invoke(disconnect, ["continue"]).stdout


def _rows(answer: dict[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", answer["clients"])


def _files(answer: dict[str, object]) -> list[dict[str, object]]:
    return [file for row in _rows(answer) for file in cast("list[dict[str, object]]", row["files"])]


def _at(document: dict[str, object], *keys: str) -> dict[str, object]:
    for key in keys:
        document = cast("dict[str, object]", document[key])
    return document


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
