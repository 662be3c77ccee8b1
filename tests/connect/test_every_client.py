"""What each client is told, what its owner keeps, and what stays of changes made since."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import cast

import pytest

from stepfare.cli.connect import env_text, yaml_text
from stepfare.cli.connect.json_text import parse_lenient
from tests.connect.desk import TOKEN, URL, Desk
from tests.connect.test_connect import AIDER, AIDER_MODELS, CLAUDE, CLINE, CODEX, CONTINUE, KILO, MINI, OPENCODE, OWN, QWEN, SECRETS, STATE


def test_claude_code_gets_an_environment_and_keeps_its_other_settings(desk: Desk) -> None:
    desk.put(OWN["claude-code"])
    desk.connect("claude-code", "--url", URL)
    document = desk.json(CLAUDE)
    assert document["env"] == {
        "MY_OWN": "1",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4999",  # it adds /v1 itself
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "ANTHROPIC_MODEL": "claude-stepfare-auto",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "claude-stepfare-frugal",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "claude-stepfare-auto",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "claude-stepfare-premium",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "claude-stepfare-premium",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "128000",
    }
    assert (document["permissions"], document["model"]) == ({"allow": ["Bash(ls:*)"]}, "opus")


def test_claude_code_shows_in_its_status_line_what_a_session_costs_until_it_is_not_wanted(desk: Desk) -> None:
    own = '{\n  "statusLine": {"type": "command", "command": "date"},\n  "model": "opus"\n}\n'
    ours = {"type": "command", "command": "stepfare status --format statusline"}
    desk.put({CLAUDE: own})
    desk.connect("claude-code", "--url", URL)
    assert desk.json(CLAUDE)["statusLine"] == {"type": "command", "command": "date"}
    desk.connect("claude-code", "--statusline", "--url", URL)
    assert desk.json(CLAUDE)["statusLine"] == ours
    # Connected anew, for another reason, it keeps what it was told.
    desk.connect("claude-code", "--url", URL.replace("4999", "4884"))
    assert desk.json(CLAUDE)["statusLine"] == ours
    desk.connect("claude-code", "--no-statusline", "--url", URL)
    assert desk.json(CLAUDE)["statusLine"] == {"type": "command", "command": "date"}
    desk.connect("claude-code", "--statusline", "--url", URL)
    desk.put({CLAUDE: desk.text(CLAUDE).replace('"model": "opus"', '"model": "sonnet"')})
    desk.disconnect("claude-code")
    assert desk.json(CLAUDE) == {"statusLine": {"type": "command", "command": "date"}, "model": "sonnet"}
    assert "has no status line" in str(desk.connect("codex", "--statusline", "--url", URL, fails=1)["words"])


def test_claude_code_in_one_project_is_told_in_the_file_that_is_not_shared(desk: Desk, tmp_path: Path) -> None:
    told = desk.connect("claude-code", "--project", "--url", URL)
    path = tmp_path / ".claude/settings.local.json"
    assert json.loads(path.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert "out of the repository" in str(told)
    desk.disconnect("claude-code", "--project")
    assert not path.parent.exists()


def test_codex_gets_a_provider_of_its_own_before_its_tables(desk: Desk) -> None:
    desk.put(OWN["codex"])
    desk.connect("codex", "--url", URL)
    document = tomllib.loads(desk.text(CODEX))
    assert document["model_providers"]["stepfare"] == {
        "name": "stepfare",
        "base_url": URL,
        "wire_api": "responses",
        "experimental_bearer_token": TOKEN,
    }
    assert (document["model"], document["model_provider"], document["model_context_window"]) == ("stepfare/auto", "stepfare", 128000)
    assert document["model_providers"]["lab"] == {"name": "lab", "base_url": "https://lab.example/v1"}
    assert document["projects"] == {"/home/me/x": {"trust_level": "trusted"}}
    assert "# how I like it" in desk.text(CODEX)
    assert "# the big one" in desk.text(CODEX)


def test_aider_edits_by_diffs_and_knows_the_window_of_what_it_asks(desk: Desk) -> None:
    desk.put(OWN["aider"])
    desk.connect("aider", "--url", URL)
    assert yaml_text.parse(desk.text(AIDER)) == {
        "model": "openai/stepfare/auto",
        "auto-commits": False,
        "read": ["CONVENTIONS.md"],
        "openai-api-base": URL,
        "openai-api-key": TOKEN,
        "weak-model": "openai/stepfare/frugal",
        "edit-format": "diff",
    }
    assert "# by the month" in desk.text(AIDER)
    known = cast("dict[str, dict[str, object]]", desk.json(AIDER_MODELS))
    assert known["lab/one"] == {"max_tokens": 1}
    for name in ("openai/stepfare/auto", "openai/stepfare/frugal"):
        assert (known[name]["max_input_tokens"], known[name]["input_cost_per_token"]) == (128000, 0)


@pytest.mark.parametrize(("client", "path"), [("opencode", OPENCODE), ("kilo", KILO)])
def test_opencode_and_kilo_get_a_provider_and_keep_every_remark(desk: Desk, client: str, path: str) -> None:
    desk.put(OWN[client])
    desk.connect(client, "--url", URL)
    document = cast("dict[str, dict[str, dict[str, object]]]", parse_lenient(desk.text(path)))
    assert document["provider"]["stepfare"]["options"] == {"baseURL": URL, "apiKey": TOKEN}
    assert document["provider"]["lab"] == {"options": {"baseURL": "https://lab.example/v1"}}
    assert (document["model"], document["small_model"]) == ("stepfare/auto", "stepfare/frugal")
    for remark in ("// which model", '"stepfare/auto", // by the month', "/* mine */"):
        assert remark in desk.text(path)


def test_qwen_gets_one_more_model_and_a_token_of_its_own_name(desk: Desk) -> None:
    desk.put(OWN["qwen"])
    desk.connect("qwen", "--url", URL)
    document = parse_lenient(desk.text(QWEN))
    models = cast("dict[str, list[dict[str, object]]]", document["modelProviders"])["openai"]
    assert [(model["id"], model["envKey"]) for model in models] == [("lab-1", "LAB"), ("stepfare/auto", "STEPFARE_TOKEN")]
    assert models[1]["baseUrl"] == URL
    assert document["env"] == {"STEPFARE_TOKEN": TOKEN}
    assert (document["security"], document["model"]) == ({"auth": {"selectedType": "openai"}}, {"name": "stepfare/auto"})
    assert "// bright" in desk.text(QWEN)


def test_mini_swe_agent_gets_its_variables_and_keeps_its_keys(desk: Desk) -> None:
    desk.put(OWN["mini-swe-agent"])
    desk.connect("mini-swe-agent", "--url", URL)
    text = desk.text(MINI)
    assert {name: env_text.value_of(text, name) for name in env_text.names_in(text)} == {
        "MSWEA_MODEL_NAME": "openai/stepfare/auto",
        "ANTHROPIC_API_KEY": "sk-mine",
        "MSWEA_CONFIGURED": "true",
        "OPENAI_API_BASE": URL,
        "OPENAI_API_KEY": TOKEN,
        "MSWEA_COST_TRACKING": "ignore_errors",
    }


# Wire formats, for the clients that have a choice.


@pytest.mark.parametrize(
    ("dialect", "provider", "model"),
    [
        ("openai", "openai-compatible", "auto"),
        ("anthropic", "anthropic", "claude-stepfare-auto"),
        ("responses", "openai-native", "auto"),
    ],
)
def test_cline_speaks_the_format_that_is_asked_for(desk: Desk, dialect: str, provider: str, model: str) -> None:
    desk.put(OWN["cline"])
    before = desk.everything()
    desk.connect("cline3", "--url", URL, "--dialect", dialect)
    document = desk.json(CLINE)
    settings = cast("dict[str, dict[str, dict[str, object]]]", document["providers"])[provider]["settings"]
    assert (document["lastUsedProvider"], settings["provider"], settings["model"]) == (provider, provider, model)
    assert (settings["baseUrl"], settings["apiKey"]) == (URL, TOKEN)
    desk.disconnect("cline3")
    assert desk.everything() == before


@pytest.mark.parametrize(
    ("dialect", "provider", "model"),
    [
        ("openai", "openai", "auto"),
        ("anthropic", "anthropic", "claude-stepfare-auto"),
        ("responses", "openai", "gpt-5-stepfare-auto"),
    ],
)
def test_continue_speaks_the_format_that_is_asked_for(desk: Desk, dialect: str, provider: str, model: str) -> None:
    desk.connect("continue", "--url", URL, "--dialect", dialect)
    entry = yaml_text.models_of(yaml_text.parse(desk.text(CONTINUE)))[0]
    assert (entry["provider"], entry["model"], entry["apiBase"]) == (provider, model, URL)


def test_classic_cline_can_be_pointed_at_the_anthropic_port(desk: Desk) -> None:
    desk.put(OWN["cline-classic"])
    before = desk.everything()
    desk.connect("cline-classic", "--url", URL, "--dialect", "anthropic")
    state = desk.json(STATE)
    assert (state["actModeApiProvider"], state["anthropicBaseUrl"]) == ("anthropic", "http://127.0.0.1:4999")
    assert (desk.json(SECRETS)["apiKey"], state["openAiBaseUrl"]) == (TOKEN, "https://lab.example")
    desk.disconnect("cline-classic")
    assert desk.everything() == before


def test_another_format_replaces_the_first_and_the_way_back_stays(desk: Desk) -> None:
    desk.put(OWN["cline"])
    before = desk.text(CLINE)
    desk.connect("cline3", "--url", URL)
    desk.put({CLINE: desk.text(CLINE).replace('"voiceInput"', '"voice"')})
    desk.connect("cline3", "--url", URL, "--dialect", "responses")
    document = desk.json(CLINE)
    entries = cast("dict[str, dict[str, dict[str, object]]]", document["providers"])
    assert entries["openai-compatible"]["settings"]["baseUrl"] == "https://lab.example/v1"
    assert entries["openai-native"]["settings"]["baseUrl"] == URL
    # Connecting again without a word keeps the format.
    assert [row["changed"] for row in cast("list[dict[str, object]]", desk.connect("cline3", "--url", URL)["clients"])] == [False]
    desk.disconnect("cline3")
    assert desk.json(CLINE) == json.loads(before.replace('"voiceInput"', '"voice"'))


def test_a_format_that_a_client_does_not_speak_is_refused(desk: Desk) -> None:
    desk.put(OWN["codex"])
    before = desk.everything()
    assert "Codex does not speak anthropic. It speaks responses." in str(
        desk.connect("codex", "--url", URL, "--dialect", "anthropic", fails=1)["words"]
    )
    assert desk.everything() == before


# What was changed since.


def test_another_of_our_models_chosen_since_goes_with_us(desk: Desk) -> None:
    for client, path, one, other in (
        ("claude-code", CLAUDE, "claude-stepfare-auto", "claude-stepfare-careful"),
        ("codex", CODEX, "stepfare/auto", "stepfare/careful"),
        ("aider", AIDER, "openai/stepfare/auto", "openai/stepfare/careful"),
        ("opencode", OPENCODE, '"model": "stepfare/auto"', '"model": "stepfare/careful"'),
        ("mini-swe-agent", MINI, "openai/stepfare/auto", "openai/stepfare/careful"),
    ):
        desk.put(OWN[client])
        desk.connect(client, "--url", URL)
        desk.put({path: desk.text(path).replace(one, other)})
        desk.disconnect(client)
        assert "stepfare" not in desk.text(path), client
        assert "127.0.0.1" not in desk.text(path), client


def test_another_provider_chosen_since_stays_and_our_block_goes(desk: Desk) -> None:
    desk.put(OWN["codex"])
    desk.connect("codex", "--url", URL)
    changed = desk.text(CODEX).replace('model_provider = "stepfare"', 'model_provider = "lab"').replace('"stepfare/auto"', '"lab-1"')
    desk.put({CODEX: changed + '\n[tui]\ntheme = "dark"\n'})
    desk.disconnect("codex")
    document = tomllib.loads(desk.text(CODEX))
    assert (document["model"], document["model_provider"], document["tui"]) == ("lab-1", "lab", {"theme": "dark"})
    assert list(document["model_providers"]) == ["lab"]
    assert "model_context_window" not in document
    assert "# how I like it" in desk.text(CODEX)


def test_what_was_written_beside_our_values_since_stays(desk: Desk) -> None:
    desk.put(OWN["opencode"])
    desk.connect("opencode", "--url", URL)
    desk.put({OPENCODE: desk.text(OPENCODE).replace("// which model", '// which model, and how it looks\n  "theme": "dark", // at night')})
    desk.disconnect("opencode")
    before = parse_lenient(OWN["opencode"][OPENCODE])
    assert parse_lenient(desk.text(OPENCODE)) == {"theme": "dark", **before}
    for remark in ("// which model, and how it looks", "// at night", "// by the month", "/* mine */"):
        assert remark in desk.text(OPENCODE)


def test_a_model_added_to_qwen_since_stays(desk: Desk) -> None:
    desk.put(OWN["qwen"])
    desk.connect("qwen", "--url", URL)
    document = parse_lenient(desk.text(QWEN))
    models = cast("dict[str, list[object]]", document["modelProviders"])["openai"]
    models.append({"id": "lab-2"})
    desk.put({QWEN: json.dumps({**document, "$version": 4}, indent=2)})  # as it writes its settings anew itself
    desk.disconnect("qwen")
    left = desk.json(QWEN)
    assert [model["id"] for model in cast("dict[str, list[dict[str, str]]]", left["modelProviders"])["openai"]] == ["lab-1", "lab-2"]
    assert (left["security"], left["$version"]) == ({"auth": {"selectedType": "qwen-oauth"}}, 4)
    assert "env" not in left
    assert "model" not in left


def test_a_line_added_to_an_environment_file_since_stays(desk: Desk) -> None:
    desk.put(OWN["mini-swe-agent"])
    desk.connect("mini-swe-agent", "--url", URL)
    desk.put({MINI: desk.text(MINI) + "MSWEA_GLOBAL_COST_LIMIT=3\n"})
    desk.disconnect("mini-swe-agent")
    before = OWN["mini-swe-agent"][MINI].replace("'anthropic/claude-sonnet-5-5'", "anthropic/claude-sonnet-5-5")
    assert desk.text(MINI) == before + "MSWEA_GLOBAL_COST_LIMIT=3\n"


def test_a_file_of_ones_choice_serves_opencode(desk: Desk, tmp_path: Path) -> None:
    told = desk.connect("opencode", "--url", URL, "--file", "here.json")
    document = json.loads((tmp_path / "here.json").read_text())
    assert document["provider"]["stepfare"]["options"]["baseURL"] == URL
    assert "OPENCODE_CONFIG" in str(told)
    desk.disconnect("opencode")
    assert not (tmp_path / "here.json").exists()
