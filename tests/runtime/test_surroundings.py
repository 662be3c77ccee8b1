"""What a step is told of editor, repository and files: the last known state, at once, and none of it from a side call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from stepfare.config.dotfile import UserLimits
from stepfare.core.step import Action, ActionKind, EditorFacts, GitFacts, History, StepFeatures
from stepfare.runtime import surroundings as surroundings_module
from stepfare.runtime.editors import Document
from stepfare.runtime.surroundings import Surroundings
from stepfare.runtime.workspaces import Workspace, Workspaces
from tests.routing.samples import features
from tests.runtime.repositories import Repo, a_repository


def doing(kind: ActionKind, *paths: str, humans: int = 1, failed: bool = False, side: str = "") -> StepFeatures:
    action = Action(kind, "tool", paths, failed=failed)
    return features(recent=(action,), history=History(humans=humans), side=side)


def settled(surroundings: Surroundings) -> Surroundings:
    """What was to be looked at has been looked at."""
    surroundings._worker.submit(int).result(10)
    return surroundings


def place(root: Path) -> Workspace:
    return Workspaces(UserLimits).look(str(root))


def git(surroundings: Surroundings, workspace: Workspace, session: str = "s", humans: int = 1) -> GitFacts | None:
    return settled(surroundings).facts(session, workspace, humans)[1]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return a_repository(tmp_path / "repo", a_py="before\n", b_py="b\n")


def test_a_change_that_a_human_takes_back_is_seen(repo: Repo) -> None:
    surroundings, workspace = Surroundings(), place(repo.root)
    assert git(surroundings, workspace) == GitFacts("main", (), 0)
    repo.write("a.py", "the agent's, longer\n")
    surroundings.follow("s", workspace, doing(ActionKind.EDIT, "a.py"))
    assert git(surroundings, workspace) == GitFacts("main", ("a.py",), 0)
    repo.restore("a.py")
    surroundings.look_again()
    assert git(surroundings, workspace) == GitFacts("main", (), 1)
    assert git(surroundings, workspace, humans=2) == GitFacts("main", (), 0), "the human has spoken since"
    assert git(surroundings, workspace, session="another") == GitFacts("main", (), 0)
    surroundings.follow("s", workspace, doing(ActionKind.READ, "b.py", humans=2))
    assert git(surroundings, workspace, humans=2) == GitFacts("main", (), 0)


def test_an_edit_that_failed_is_none(repo: Repo) -> None:
    surroundings, workspace = Surroundings(), place(repo.root)
    surroundings.follow("s", workspace, doing(ActionKind.READ, "a.py"))
    settled(surroundings)
    repo.write("a.py", "a human's, longer\n")
    surroundings.follow("s", workspace, doing(ActionKind.EDIT, "a.py", failed=True))
    settled(surroundings)
    repo.restore("a.py")
    surroundings.look_again()
    assert git(surroundings, workspace) == GitFacts("main", (), 0)


def test_without_a_repository_files_are_watched_all_the_same(tmp_path: Path) -> None:
    surroundings, workspace = Surroundings(), place(tmp_path)
    assert git(surroundings, workspace) is None
    for text, kind in (("before", ActionKind.READ), ("after, longer", ActionKind.EDIT), ("before", ActionKind.READ)):
        (tmp_path / "a.py").write_text(text)
        surroundings.follow("s", workspace, doing(kind, "a.py"))
        settled(surroundings)
    assert git(surroundings, workspace) == GitFacts("", (), 1)


def test_a_decision_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(surroundings_module.Contents, "look", lambda *_: release.wait(30))
    monkeypatch.setattr(surroundings_module, "WAITING_MAX", 3)
    surroundings, workspace = Surroundings(), place(tmp_path)
    for number in range(10):
        surroundings.follow(f"s{number}", workspace, doing(ActionKind.EDIT, "a.py"))
        assert surroundings.facts(f"s{number}", workspace, 1) == (None, None)
    assert len(surroundings._waiting) <= 3
    release.set()
    assert not settled(surroundings)._waiting


def test_steps_that_come_while_one_is_looked_at_are_looked_at_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Sequence[str]] = []
    release = threading.Event()

    def look(_contents: object, read: Sequence[str], edited: Sequence[str], _repository: object) -> None:
        looked.append((*read, *edited))
        release.wait(30)

    monkeypatch.setattr(surroundings_module.Contents, "look", look)
    surroundings, workspace = Surroundings(), place(tmp_path)
    surroundings.follow("another", workspace, doing(ActionKind.EDIT, "0"))
    for number in range(1, 4):
        surroundings.follow("s", workspace, doing(ActionKind.EDIT, f"{number}"))
    release.set()
    settled(surroundings)
    assert looked == [("0",), ("1", "2", "3")]


def test_what_goes_wrong_in_the_thread_leaves_the_facts_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings, workspace = Surroundings(), place(tmp_path)
    surroundings.follow("s", workspace, doing(ActionKind.EDIT, "a.py"))
    assert git(surroundings, workspace) == GitFacts()
    monkeypatch.setattr(surroundings_module.Contents, "look", lambda *_: 1 / 0)
    surroundings.follow("s", workspace, doing(ActionKind.EDIT, "a.py"))
    assert git(surroundings, workspace) == GitFacts()
    monkeypatch.undo()
    surroundings.follow("s", workspace, doing(ActionKind.EDIT, "a.py"))
    assert not settled(surroundings)._waiting


def test_side_calls_and_steps_without_a_folder_are_not_followed(tmp_path: Path) -> None:
    surroundings = Surroundings()
    surroundings.editors.tell(str(tmp_path), "a.py", [Document("a.py", 1)])
    surroundings.follow("s", place(tmp_path), doing(ActionKind.EDIT, "a.py", side="title"))
    surroundings.follow("s", Workspace(""), doing(ActionKind.EDIT, "a.py"))
    assert git(surroundings, place(tmp_path)) is None
    surroundings.editors.tell(str(tmp_path), "a.py", [Document("a.py", 3)])
    assert surroundings.facts("s", place(tmp_path), 1)[0] == EditorFacts(("a.py",), "a.py", 3, 0, 0)


def test_sessions_and_repositories_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings_module, "SESSIONS_MAX", 2)
    monkeypatch.setattr(surroundings_module, "REPOSITORIES_MAX", 2)
    surroundings = Surroundings()
    for number in range(5):
        root = tmp_path / str(number)
        (root / ".git").mkdir(parents=True)
        surroundings.follow(f"s{number}", place(root), doing(ActionKind.EDIT, "a.py"))
        settled(surroundings)
    assert [len(kept) for kept in (surroundings._last, surroundings._facts, surroundings._contents, surroundings._repositories)] == [2] * 4


def test_a_closed_daemon_looks_at_nothing(tmp_path: Path) -> None:
    surroundings = Surroundings()
    surroundings.close()
    surroundings.follow("s", place(tmp_path), doing(ActionKind.EDIT, "a.py"))
    surroundings.look_again()
    assert not surroundings._waiting
