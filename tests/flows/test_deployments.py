"""The examples for containers and clusters: their settings are right and serve, and all that they name is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stepfare.config.check import check_settings
from stepfare.core.budget import Scope
from tests.fakes.provider import stream
from tests.flows.conftest import Start, ask
from tests.postgres import Server

INTEGRATIONS = Path(__file__).resolve().parents[2] / "integrations"
COMPOSE: Mapping[str, Any] = YAML(typ="safe").load((INTEGRATIONS / "compose" / "compose.yaml").read_text())
CLUSTER: list[Mapping[str, Any]] = list(YAML(typ="safe").load_all((INTEGRATIONS / "kubernetes" / "stepfare.yaml").read_text()))
SETTINGS_OF = {
    "compose": (INTEGRATIONS / "compose" / "config.toml").read_text(),
    "kubernetes": next(one["data"]["config.toml"] for one in CLUSTER if one["kind"] == "ConfigMap"),
}


@pytest.mark.parametrize("where", SETTINGS_OF)
async def test_two_daemons_with_these_settings_share_their_books(where: str, start: Start, tmp_path: Path, postgres: Server) -> None:
    checked = check_settings(SETTINGS_OF[where], "config.toml")
    assert checked.problems == ()
    assert checked.value.ledger.password == "env:BOOKS_PASSWORD"
    here = re.sub(r'url = "postgresql:.*"\npassword = .*\n', f'url = "{postgres.database()}"\n', SETTINGS_OF[where])
    one, two = [await start(stream("It does."), more=here, home=tmp_path / name) for name in ("one", "two")]
    async with one.chat(ask(), x_stepfare_user="ann") as answer:
        assert answer.status == 200
        await answer.read()
    by_user = await two.house.store.report(("user",))
    assert [name for (name,) in by_user.parts] == ["ann"]
    await two.house.books.look()
    caps = two.house.state.caps(None, two.house.state.workspaces.look(""))
    team = next(cap for cap in caps if cap.scope == Scope.TEAM)
    assert team.spent_pusd == (await two.house.store.totals()).spent_pusd > 0


def test_what_compose_names_is_there() -> None:
    services, folder = COMPOSE["services"], INTEGRATIONS / "compose"
    assert set(services) == {"books", "one", "two"}
    assert (folder / COMPOSE["configs"]["settings"]["file"]).is_file()
    root = (folder / services["one"]["build"]["context"]).resolve()
    dockerfile = root / services["one"]["build"]["dockerfile"]
    copied = re.findall(r"^COPY (.+) \S+$", dockerfile.read_text(), re.MULTILINE)
    assert all((root / name).exists() for line in copied for name in line.split())
    # Each daemon has a home of its own; only this machine is let in.
    assert services["one"]["volumes"] != services["two"]["volumes"]
    assert all(port.startswith("127.0.0.1:") for name in ("one", "two") for port in services[name]["ports"])


def test_what_the_cluster_refers_to_is_there() -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in CLUSTER}
    assert names == {("ConfigMap", "stepfare"), *((kind, name) for kind in ("Service", "StatefulSet") for name in ("books", "stepfare"))}
    daemons = next(one["spec"] for one in CLUSTER if (one["kind"], one["metadata"]["name"]) == ("StatefulSet", "stepfare"))
    assert daemons["replicas"] == 2
    for one in CLUSTER:
        if one["kind"] == "Service":
            labels = [other["spec"]["template"]["metadata"]["labels"] for other in CLUSTER if other["kind"] == "StatefulSet"]
            assert one["spec"]["selector"] in labels


def test_images_are_named_without_a_place_to_fetch_them_from() -> None:
    text = (
        "".join(path.read_text() for path in (INTEGRATIONS / "compose").iterdir())
        + (INTEGRATIONS / "kubernetes" / "stepfare.yaml").read_text()
    )
    images = re.findall(r"(?:image:|^FROM) +(\S+)", text, re.MULTILINE)
    assert sorted(set(images)) == ["postgres:18", "python:3.12-slim", "stepfare:latest"]
