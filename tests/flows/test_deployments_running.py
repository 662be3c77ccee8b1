"""The examples for containers and clusters as processes of this machine: what their files say is built, set, run and asked, and a session
whose steps arrive at the daemons by turns is one. Only the containers are left out: addresses and ports are this machine's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.store.postgres import Postgres
from stepfare.store.verify import verify_books
from tests.flows.test_deployments import CLUSTER, COMPOSE, INTEGRATIONS, SETTINGS_OF
from tests.postgres import Server, serving

START_S = 60
DOCKERFILE = (INTEGRATIONS / "compose" / "Dockerfile").read_text().replace("\\\n", " ")
SECRETS: Mapping[str, str] = {
    **dict.fromkeys(("BOOKS_PASSWORD", "books-password"), "a-long-random-text"),
    **dict.fromkeys(("STEPFARE_TOKEN", "token"), "another-long-random-text"),
    # Nobody gave a key: the built-in simulator answers.
    "openrouter-key": "",
}


def said(form: str) -> list[list[str]]:
    """What the Dockerfile says in lines of this form: the words of each."""
    return [shlex.split(words) for words in re.findall(rf"^{form} (.+)$", DOCKERFILE, re.MULTILINE)]


def command_of(form: str) -> list[str]:
    """The command of the one line of this form."""
    (command,) = re.findall(rf"^{form}(\[.+\])$", DOCKERFILE, re.MULTILINE)
    return json.loads(command)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has of stepfare: built from the files that are copied into it, and from no others."""
    source, built, image = (tmp_path_factory.mktemp(name) for name in ("src", "dist", "image"))
    root = INTEGRATIONS.parent
    for *names, target in said("COPY"):
        for name in names:
            into = source if target == "./" else source / target
            subprocess.run(["cp", "-r", str(root / name), str(into)], check=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)], cwd=source, check=True, capture_output=True
    )
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(image)
        about = next(packed.read(name).decode() for name in packed.namelist() if name.endswith("METADATA"))
    (extras,) = re.findall(r"pip install --no-cache-dir \"\.\[(.*)\]\"", DOCKERFILE)
    assert set(extras.split(",")) <= set(re.findall(r"^Provides-Extra: (\S+)$", about, re.MULTILINE))
    return image


@dataclass(frozen=True)
class Deployment:
    """What a file says of the daemons: what each has in its environment, and how the server of the books is asked whether it is ready."""

    settings: str
    environments: Sequence[Mapping[str, str]]
    server_ready: Sequence[str]
    server: Mapping[str, str]
    server_first: bool


def of_compose() -> Deployment:
    services = COMPOSE["services"]
    return Deployment(
        settings=SETTINGS_OF["compose"],
        environments=[{key: filled(value) for key, value in services[name]["environment"].items()} for name in ("one", "two")],
        server_ready=shlex.split(services["books"]["healthcheck"]["test"][1]),
        server={key: filled(value) for key, value in services["books"]["environment"].items()},
        server_first=services["one"]["depends_on"] == {"books": {"condition": "service_healthy"}},
    )


def of_cluster() -> Deployment:
    found = {one["metadata"]["name"]: one["spec"] for one in CLUSTER if one["kind"] == "StatefulSet"}
    (daemon,), (books,) = (found[name]["template"]["spec"]["containers"] for name in ("stepfare", "books"))
    return Deployment(
        settings=SETTINGS_OF["kubernetes"],
        environments=[{one["name"]: value_of(one) for one in daemon["env"] if one["name"] != "STEPFARE_HOME"}]
        * found["stepfare"]["replicas"],
        server_ready=books["readinessProbe"]["exec"]["command"],
        server={one["name"]: value_of(one) for one in books["env"]},
        server_first=False,  # Nothing in a cluster waits for anything.
    )


def filled(value: str) -> str:
    """As compose puts in what the shell has."""
    return re.sub(r"\$\{(\w+):([?-])([^}]*)\}", lambda found: SECRETS.get(found[1], found[3] if found[2] == "-" else ""), value)


def value_of(variable: Mapping[str, Any]) -> str:
    return variable["value"] if "value" in variable else SECRETS[variable["valueFrom"]["secretKeyRef"]["key"]]


@dataclass
class Replica:
    """One daemon as a process."""

    process: asyncio.subprocess.Process
    port: int
    home: Path

    async def health(self) -> int:
        async with aiohttp.ClientSession(headers={"host": "localhost"}) as client:
            try:
                async with client.get(f"http://127.0.0.1:{self.port}/health") as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 0

    async def until(self, status: int) -> None:
        """Returns when this is the answer's status; the command by which the image is watched agrees."""
        async with asyncio.timeout(START_S):
            while await self.health() != status:
                assert self.process.returncode is None
                await asyncio.sleep(0.1)
        command = [word.replace("4884", str(self.port)) for word in command_of("HEALTHCHECK .*CMD ")]
        checked = await asyncio.create_subprocess_exec(sys.executable, *command[1:], stderr=asyncio.subprocess.DEVNULL)
        assert (await checked.wait() == 0) is (status == 200)

    async def control(self, path: str) -> dict[str, Any]:
        token = json.loads((self.home / "daemon.json").read_text())["control_token"]
        asking = aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"})
        async with asking as client, client.get(f"http://127.0.0.1:{self.port}/control/v1/{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def replica(image: Path, home: Path, settings: str, environment: Mapping[str, str], server: Server) -> AsyncIterator[Replica]:
    home.mkdir()
    (home / "config.toml").write_text(settings)
    port = free_port()
    assert command_of("CMD ") == ["stepfare", "serve"]
    (kept,) = (words[0].partition("=")[2] for words in said("ENV"))
    assert kept == "/var/lib/stepfare"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(image),
        "STEPFARE_HOME": str(home),
        "STEPFARE_PORT": str(port),
        # `books`, the name in the settings, is this machine.
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(server.port),
        **environment,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "stepfare", "serve", env=environ, cwd=home)
    try:
        yield Replica(process, port, home)
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[tuple[str, list[int]]]:
    """A balancer that gives every new connection to the next daemon; its address, and to whom it gave how many."""
    given = [0] * len(ports)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = sum(given) % len(ports)
        given[turn] += 1
        theirs, to_them = await asyncio.open_connection("127.0.0.1", ports[turn])
        await asyncio.gather(pump(reader, to_them), pump(theirs, writer), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", given


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("deployment", [of_compose(), of_cluster()], ids=["compose", "cluster"])
async def test_daemons_behind_a_balancer_are_one(image: Path, tmp_path: Path, deployment: Deployment) -> None:
    user, name, password = (deployment.server[f"POSTGRES_{what}"] for what in ("USER", "DB", "PASSWORD"))
    with serving(port=free_port()) as server:
        server.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'", f"CREATE DATABASE {name} OWNER {user} TEMPLATE template0")
        server.stop()
        async with AsyncExitStack() as stack:

            async def begin(number: int, environment: Mapping[str, str]) -> Replica:
                home = tmp_path / f"home-{number}"
                return await stack.enter_async_context(replica(image, home, deployment.settings, environment, server))

            if deployment.server_first:
                server.start()
            daemons = [await begin(number, environment) for number, environment in enumerate(deployment.environments)]
            if not deployment.server_first:
                await asyncio.gather(*(one.until(503) for one in daemons))
                server.start()
            ready = {"PATH": f"{server.bin}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
            asked = await asyncio.create_subprocess_exec(*deployment.server_ready, env=ready, stdout=subprocess.DEVNULL)
            assert await asked.wait() == 0
            await asyncio.gather(*(one.until(200) for one in daemons))
            address, given = await stack.enter_async_context(balanced([one.port for one in daemons]))
            sessions = await converse(address, deployment.environments[0]["STEPFARE_TOKEN"], steps=6)
            assert given == [3, 3]
            assert len(set(sessions)) == 1
            details = [await one.control(f"sessions/{sessions[0]}") for one in daemons]
            assert [len(detail["steps"]) for detail in details] == [6, 6]
            assert details[0]["session"]["totals"] == details[1]["session"]["totals"]
            # The same caps with the same spent, whichever is asked; and what the next step would find warm.
            budgets = [await one.control(f"budgets?session={sessions[0]}") for one in daemons]
            assert budgets[0]["caps"] == budgets[1]["caps"]
            assert {cap["scope"]: cap["spent_pusd"] for cap in budgets[0]["caps"]} == dict.fromkeys(
                ("day", "team"), details[0]["session"]["totals"]["spent_pusd"]
            )
            assert details[0]["session"]["warm"] == details[1]["session"]["warm"] != []
            by_user = [await one.control("report?by=user") for one in daemons]
            assert [[row["names"] for row in report["rows"]] for report in by_user] == [[["team"]]] * 2
        assert verify_books(Postgres(server.url(name), tmp_path / "home-0")).problems == ()


async def converse(address: str, token: str, steps: int) -> list[str]:
    """One conversation of so many steps, each over a connection of its own; the session that each answer names."""
    messages: list[dict[str, str]] = [{"role": "system", "content": "You are an agent. " * 400}]
    sessions: list[str] = []
    headers = {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(force_close=True)) as client:
        for step in range(steps):
            messages.append({"role": "user", "content": f"What does function {step} do?"})
            async with client.post(f"{address}/v1/chat/completions", json={"model": "auto", "messages": messages}) as answer:
                assert answer.status == 200, await answer.text()
                sessions.append(answer.headers["x-stepfare-session"])
                messages.append({"role": "assistant", "content": (await answer.json())["choices"][0]["message"]["content"]})
    return sessions
