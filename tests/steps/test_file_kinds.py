"""What a file is, by its path."""

from __future__ import annotations

import pytest

from stepfare.steps.file_kinds import kind_of_file


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/a.py", "source"),
        ("D:\\ws\\src\\color.go", "source"),
        ("cmd/app/main_test.go", "test"),
        ("tests/conftest.py", "test"),
        ("web/src/a.spec.ts", "test"),
        ("core/PriceTest.java", "test"),
        ("go.mod", "config"),
        ("web/package.json", "config"),
        (".github/workflows/ci.yml", "config"),
        ("README.md", "docs"),
        ("docs/tests/how.md", "docs"),
        ("assets/logo.svg", "data"),
        ("reproduce_issue.py", "scratch"),
        ("/testbed/repro.py", "scratch"),
        ("/tmp/x.sh", "scratch"),
        ("test_fix.py", "scratch"),
        ("app/deep/down/update_user.py", "source"),
        ("bin/tool", "other"),
        ("", "other"),
    ],
)
def test_a_path_tells_what_the_file_is(path: str, kind: str) -> None:
    assert kind_of_file(path).value == kind
