"""What editors tell and what a step may know of it."""

from __future__ import annotations

import pytest

from stepfare.core.step import EditorFacts
from stepfare.runtime import editors as editors_module
from stepfare.runtime.editors import Document, Editors


def telling(*documents: Document, active: str = "a.py", root: str = "/ws") -> Editors:
    editors = Editors()
    editors.tell(root, active, documents)
    return editors


def test_a_step_knows_open_files_and_their_problems() -> None:
    editors = telling(Document("a.py", 2, 1), Document("b.py", 0, 3))
    assert editors.facts("s", "/ws") == EditorFacts(("a.py", "b.py"), "a.py", 2, 4, 0)


def test_nothing_is_known_where_no_editor_is() -> None:
    assert Editors().facts("s", "/ws") is None
    assert telling().facts("s", "") is None
    assert telling().facts("s", "/ws-other") is None
    editors = telling(Document("a.py"))
    editors.forget("/ws")
    editors.forget("/ws")
    assert editors.facts("s", "/ws") is None


@pytest.mark.parametrize("root", ["/ws", "/ws/packages/one", "/"])
def test_an_editor_tells_of_folders_in_its_own_and_around_it(root: str) -> None:
    facts = telling(Document("a.py", 1)).facts("s", root)
    assert facts is not None
    assert facts.errors == 1


def test_errors_change_between_the_steps_of_a_session() -> None:
    editors = telling(Document("a.py", 2), Document("b.py", 1))

    def change() -> int:
        facts = editors.facts("s", "/ws")
        assert facts is not None
        return facts.errors_change

    assert change() == 0
    editors.follow("s", "/ws")
    editors.tell("/ws", "a.py", [Document("a.py", 5), Document("b.py", 0), Document("new.py", 9)])
    assert [change(), change()] == [2, 2], "looking alone changes nothing; a file newly opened may have had its errors before"
    other = editors.facts("another", "/ws")
    assert other is not None
    assert other.errors_change == 0
    editors.follow("s", "/ws")
    assert change() == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "~/x", "../x", "a/../../x"])
def test_what_lies_outside_is_left_out(path: str) -> None:
    assert telling(Document(path, 1), active=path).facts("s", "/ws") == EditorFacts()


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKSPACES_MAX", "DOCUMENTS_MAX", "FILES_TOLD_MAX", "SESSIONS_MAX"):
        monkeypatch.setattr(editors_module, name, 2)
    editors = Editors()
    for number in range(5):
        editors.tell(f"/ws{number}", "", [Document(f"{place}.py", 1) for place in range(5)])
        editors.follow(f"s{number}", f"/ws{number}")
    assert [editors.of(f"/ws{number}") is not None for number in range(5)] == [False, False, False, True, True]
    assert editors.facts("s4", "/ws4") == EditorFacts(("0.py", "1.py"), "", 2, 0, 0)
    assert len(editors._errors) == 2
