"""What shell commands do, and which files they name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfare.core.step import ActionKind
from stepfare.steps.shell import read_shell
from stepfare.steps.shell_words import Command, Redirect, commands_of

CASES: list[tuple[str, str, tuple[str, ...]]] = [
    # looking
    ("ls -la src", "list", ()),
    ("pwd", "list", ()),
    ("cat shop/total.py", "read", ("shop/total.py",)),
    ("cd shop && cat Makefile | head -20", "read", ("shop/Makefile",)),
    ("nl -ba a/b.py | sed -n '10,40p'", "read", ("a/b.py",)),
    ("sed -n '1,40p' a.py", "read", ("a.py",)),
    ("awk -F: '{print $1}' /etc/passwd", "read", ("/etc/passwd",)),
    ("git status --short", "read", ()),
    ("git log --oneline -5 && git diff -- src/a.py", "read", ("src/a.py",)),
    ("git -C sub show HEAD:src/a.py", "read", ("src/a.py",)),
    ("git branch --show-current", "read", ()),
    ("gh pr view 12 --json title", "read", ()),
    ("find . -name '*.py' -not -path './x/*'", "search", ()),
    ("grep -rn 'a > b' src/total.py", "search", ("src/total.py",)),
    ("rg --files -g '*.go'", "search", ()),
    ("ls -R | grep test", "list", ()),
    ("which python", "search", ()),
    ("curl -s https://example.org/x.json | jq .a", "web", ()),
    ("cat a.txt 2>/dev/null || echo none", "read", ("a.txt",)),
    # running
    ("echo hello", "run", ()),
    ("npm install left-pad", "run", ()),
    ('git commit -m "it\'s > done"', "run", ()),
    ("git push origin main", "run", ()),
    ("gh api -X POST repos/a/b/comments -f body=x", "run", ()),
    ("rm -rf build && mkdir build", "run", ()),
    ("curl -s http://localhost:3000/health", "run", ()),
    ("sudo -u www systemctl restart nginx", "run", ()),
    ("python -c 'print(1)'", "run", ()),
    ("find . -name '*.pyc' -delete", "run", ()),
    # proving
    ("pytest -q tests/test_a.py::test_b", "test", ("tests/test_a.py",)),
    ("python -m pytest -x", "test", ()),
    ("FOO=1 timeout 60 npm test 2>&1 | tail -5", "test", ()),
    ("cd web && npm run lint:fix", "test", ()),
    ("npx --yes vitest run", "test", ()),
    ("uv run --group dev pytest", "test", ()),
    ("poetry run mypy src/a.py", "test", ("src/a.py",)),
    ("go vet ./... && go build ./...", "test", ()),
    ("cargo clippy --all-targets", "test", ()),
    ("make -j4", "test", ()),
    ("./gradlew build", "test", ()),
    ("bash -lc 'cd x && go test ./...'", "test", ()),
    ("docker compose exec -e A=b web pytest", "test", ()),
    ("go test ./... > /tmp/out.txt; tail /tmp/out.txt", "test", ("/tmp/out.txt",)),
    ("if ! mise run test:ci; then echo bad; fi", "test", ()),
    ("node --test", "test", ()),
    ("python manage.py test shop", "test", ("manage.py",)),
    # changing
    ("sed -i 's/a/b/' src/a.py", "edit", ("src/a.py",)),
    ("sed -i '' 's/a/b/' src/a.py && go test ./...", "edit", ("src/a.py",)),
    ("find . -name '*.go' -exec sed -i 's/a/b/' {} +", "edit", ()),
    ("grep -rl old src | xargs sed -i 's/old/new/'", "edit", ()),
    ("perl -pi -e 's/a/b/' lib/a.rb", "edit", ("lib/a.rb",)),
    ("git apply fix.patch", "edit", ("fix.patch",)),
    ("echo 'x' >> notes.md", "edit", ("notes.md",)),
    ("cat > src/a.py <<'EOF'\nprint(\"it's\") # > b\nEOF\npython src/a.py", "write", ("src/a.py",)),
    ("cat <<EOF | tee conf.d/a.conf\nhi\nEOF", "write", ("conf.d/a.conf",)),
    ("printf '%s' x > \"$OUT/a.json\"", "write", ()),
    ("cd migrations; cat >> 001.sql <<S\nselect 1;\nS", "edit", ("migrations/001.sql",)),
    ("jq '.a=1' a.json > b.json", "write", ("b.json", "a.json")),
    ("python3 - <<'PY'\nopen('a.py', 'w').write(s)\nPY", "edit", ()),
    ('node -e \'fs.writeFileSync("a", "b")\'', "edit", ()),
    # finishing
    ("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git add -A", "finish", ()),
]


@pytest.mark.parametrize(("command", "kind", "paths"), CASES, ids=[case[0] for case in CASES])
def test_a_command_is_what_its_most_demanding_part_does(command: str, kind: str, paths: tuple[str, ...]) -> None:
    reading = read_shell(command)
    assert (reading.kind.value, reading.paths) == (kind, paths)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("Get-Content D:\\ws\\a.txt | Select-String x", "read"),
        ("Get-ChildItem -Recurse", "list"),
        ("$x = 1; Set-Content -Path D:\\ws\\a.txt -Value $x", "write"),
        ("Set-Location D:\\ws; dotnet test", "test"),
    ],
)
def test_powershell_is_read_too(command: str, kind: str) -> None:
    assert read_shell(command, windows=True).kind.value == kind


def test_a_commit_message_in_a_here_document_is_no_file() -> None:
    command = "git add -A && git commit -m \"$(cat <<'EOF'\nDon't write (a) > b\nEOF\n)\" && git push"
    assert read_shell(command).kind is ActionKind.RUN


def test_a_command_cut_in_the_middle_is_read_as_far_as_it_goes() -> None:
    assert read_shell("cat > src/a.py <<'EOF'\nimport os\n…[181 chars cut]…").kind is ActionKind.WRITE
    assert read_shell('grep -rn "unclosed quote in src').kind is ActionKind.SEARCH


def test_pipes_redirections_and_here_documents_are_told_apart() -> None:
    assert commands_of("a 2>err 1>>out <in | b <<X\nbody\nX\nc") == [
        Command(("a",), (Redirect(">>", "out"), Redirect("<", "in"))),
        Command(("b",), piped=True, heredoc="body\n"),
        Command(("c",)),
    ]


def test_shells_in_shells_end_somewhere() -> None:
    nested = "".join(f"bash <<E{depth}\n" for depth in range(2_000))
    assert read_shell(nested).kind is ActionKind.RUN


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab ./-'\"\\`$(){}|&;<>\n#=E", max_size=80))
def test_no_text_is_too_odd_to_read(text: str) -> None:
    assert read_shell(text).kind in ActionKind
    assert read_shell(text, windows=True).kind in ActionKind
