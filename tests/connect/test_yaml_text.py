"""One model at the head of a YAML file's list, and out again."""

from __future__ import annotations

import pytest

from stepfare.cli.connect.json_text import Unsuitable
from stepfare.cli.connect.yaml_text import models_of, parse, with_model, without_models

OURS = {"name": "stepfare auto", "apiBase": "http://127.0.0.1:4884/v1", "roles": ["chat", "edit"], "options": {"contextLength": 128000}}
SCAFFOLD = {"name": "Local Config", "version": "1.0.0"}

FILES = {
    "a block list": "name: Mine  # my own\nmodels:\n  # the good one\n  - name: A   # tail\n    model: a\n\n  - name: B\n# end\n",
    "a list without indentation": "models:\n- name: A\n  model: a\nname: Mine\n",
    "a deep indentation": "models:\n      - name: A\n        key: ${{ secrets.A }}\nname: x\n",
    "a list in brackets": 'name: x\nmodels: [{name: A, model: a}, {name: "B"}] # short\n',
    "an empty list": "models: []  # none yet\nname: x\n",
    "a list without entries": "name: x\nmodels:\nversion: 1.0.0\n",
    "no models": "name: x\nrules:\n  - be kind\n",
    "no line end at the end of a list": "models:\n  - name: A",
    "windows line ends": "name: x\r\nmodels:\r\n  - name: A\r\n    model: a\r\n",
    "block text in an entry": "models:\n  - name: A\n    prompt: |\n      one\n      - two\n\n  - name: B\n    prompt: >-\n      last\n",
    "anchors": "base: &base\n  provider: openai\nmodels:\n  - <<: *base\n    name: A\n  - *base\n",
    "a document mark": "---\nname: x\nmodels:\n  - name: A\n",
    "tabs and odd spaces in text": 'models:\n  - name: "A\\t"\n    note:    spaced\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_our_model_comes_first_and_every_line_of_the_owner_stays(text: str) -> None:
    after = with_model(text, OURS, SCAFFOLD)
    assert models_of(parse(after))[0] == OURS
    lines = after.splitlines()
    assert [line for line in text.splitlines() if line not in lines and not line.startswith("models:")] == []
    assert after.count("\r\n") == (after.count("\n") if "\r" in text else 0)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_taking_our_model_out_gives_the_same_text_again(text: str) -> None:
    after = with_model(text, OURS, SCAFFOLD)
    back = without_models(after, lambda model: model.get("name") == OURS["name"], keep_key="models" in parse(text))
    assert models_of(parse(back)) == models_of(parse(text))
    if models_of(parse(text)) and text.endswith("\n"):
        assert back == text


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_a_line_that_the_owner_added_since_stays(text: str) -> None:
    after = with_model(text, OURS, SCAFFOLD) + ("\r\n" if "\r" in text else "\n") + "# added since\n"
    back = without_models(after, lambda model: model.get("name") == OURS["name"], keep_key=True)
    assert "# added since\n" in back
    assert all(model.get("name") != OURS["name"] for model in models_of(parse(back)))


def test_an_empty_file_gets_what_a_client_needs_besides() -> None:
    assert parse(with_model("# only words\n", OURS, SCAFFOLD)) == {**SCAFFOLD, "models": [OURS]}


@pytest.mark.parametrize(
    "text",
    [
        "models: [",
        "a: 1\na: 2\n",
        "- a\n- b\n",
        "models: 7\n",
        "models: some text\n",
        '{"name": "x", "models": []}',
        "base: &b []\nmodels: *b\n",
        "name: x\n---\nname: y\n",
        "name: x\n...\n",
        "\tname: x",
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_refused(text: str) -> None:
    with pytest.raises(Unsuitable):
        with_model(text, OURS, SCAFFOLD)
