"""Workspaces on disk: which file holds, what of it, the branch, and what changes between two looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepfare.config.dotfile import UserLimits
from stepfare.core.step import StepKind, Tier
from stepfare.runtime import workspaces as workspaces_module
from stepfare.runtime.workspaces import Workspace, Workspaces, relative_to_folder

PREMIUM = '[steps]\nedit = "premium"\n'
BALANCED = '[steps]\nedit = "balanced"\n'


def looking(limits: UserLimits | None = None) -> Workspaces:
    return Workspaces(lambda: limits or UserLimits())


def tier(workspace: Workspace) -> Tier | None:
    return workspace.dotfile.steps.get(StepKind.EDIT) if workspace.dotfile else None


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/feature/login\n")
    return root


def write(folder: Path, text: str = PREMIUM) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".stepfare.toml"
    path.write_text(text)
    return path


def test_the_file_of_the_folder_itself_holds(repository: Path) -> None:
    path = write(repository)
    found = looking().look(str(repository))
    assert (found.root, found.project, found.branch) == (str(repository), str(repository), "feature/login")
    assert (found.dotfile_path, found.folder, tier(found)) == (str(path), str(repository), Tier.PREMIUM)


def test_the_nearest_file_above_holds_up_to_the_root_of_the_repository(repository: Path) -> None:
    write(repository.parent)
    deep = repository / "a" / "b"
    deep.mkdir(parents=True)
    looks = looking()
    assert (looks.look(str(deep)).dotfile, looks.look(str(deep)).folder) == (None, str(deep))
    write(repository, PREMIUM)
    assert (tier(looks.look(str(deep))), looks.look(str(deep)).folder) == (Tier.PREMIUM, str(repository))
    write(repository / "a", BALANCED)
    found = looks.look(str(deep))
    assert (tier(found), found.folder, found.project) == (Tier.BALANCED, str(repository / "a"), str(repository))


def test_a_file_above_home_does_not_hold(home: Path) -> None:
    write(home.parent, PREMIUM)
    folder = home / "project"
    folder.mkdir()
    assert looking().look(str(folder)).dotfile is None
    write(home, BALANCED)
    assert tier(looking().look(str(folder))) is Tier.BALANCED
    (home.parent / ".stepfare.toml").unlink()


@pytest.mark.parametrize("root", ["", "relative/path", "~/project", ".", "C:\\project", "/" + "a/" * 3000])
def test_what_is_no_folder_is_no_workspace(root: str) -> None:
    assert looking().look(root) == Workspace(root="")


@pytest.mark.parametrize("root", ["/none/of/this/exists", "/\0", "/ws\nx", "/proc/self/mem", "//double//slashes/.."])
def test_a_folder_that_is_not_there_is_a_workspace_without_a_file(root: str) -> None:
    found = looking().look(root)
    assert (found.root, found.dotfile, found.problems, found.branch) == (root, None, (), "")


def test_a_broken_file_keeps_the_last_good_rules_and_says_what_is_wrong(repository: Path) -> None:
    path = write(repository)
    looks = looking()
    looks.look(str(repository))
    path.write_text("[steps\nedit = ")
    found = looks.look(str(repository))
    assert tier(found) is Tier.PREMIUM
    assert [problem.code for problem in found.problems] == ["syntax"]
    path.write_text(BALANCED)
    found = looks.look(str(repository))
    assert (tier(found), found.problems) == (Tier.BALANCED, ())


def test_a_file_that_was_broken_from_the_start_asks_for_nothing(repository: Path) -> None:
    write(repository, "[steps\n")
    found = looking().look(str(repository))
    assert (found.dotfile, len(found.problems)) == (None, 1)


def test_a_file_that_is_gone_holds_no_more(repository: Path) -> None:
    path = write(repository)
    looks = looking()
    looks.look(str(repository))
    path.unlink()
    assert looks.look(str(repository)).dotfile is None


def test_the_rules_of_another_file_are_not_kept_for_a_broken_one(repository: Path) -> None:
    write(repository)
    looks = looking()
    sub = repository / "sub"
    sub.mkdir()
    assert tier(looks.look(str(sub))) is Tier.PREMIUM
    write(sub, "[steps\n")
    assert looks.look(str(sub)).dotfile is None


def test_a_file_that_is_too_long_is_not_used(repository: Path) -> None:
    write(repository, PREMIUM + "#" * 70_000)
    found = looking().look(str(repository))
    assert (found.dotfile, [problem.code for problem in found.problems]) == (None, ["too-large"])


def test_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(PREMIUM)
    (repository / ".stepfare.toml").symlink_to(elsewhere)
    found = looking().look(str(repository))
    assert found.dotfile is None
    assert "links and devices are not followed" in found.problems[0].words


def test_a_pipe_is_not_waited_for(repository: Path) -> None:
    os.mkfifo(repository / ".stepfare.toml")
    assert "it is not a plain file" in looking().look(str(repository)).problems[0].words


def test_a_folder_of_that_name_is_told(repository: Path) -> None:
    (repository / ".stepfare.toml").mkdir()
    assert "it is not a plain file" in looking().look(str(repository)).problems[0].words


def test_a_file_of_another_user_is_not_used(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(repository)
    if os.getuid() == 0:
        os.chown(path, 12_345, 12_345)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12_345)
    found = looking().look(str(repository))
    assert found.dotfile is None
    assert "it belongs to another user" in found.problems[0].words


def test_a_file_that_may_be_read_again_is_read_again(repository: Path) -> None:
    """Its rights changed, not one byte of it."""
    path = write(repository)
    looks = looking()
    if os.getuid() == 0:
        os.chown(path, 12_345, 12_345)
        assert looks.look(str(repository)).dotfile is None
        os.chown(path, 0, 0)
    else:
        path.chmod(0o000)
        assert looks.look(str(repository)).dotfile is None
        path.chmod(0o600)
    assert tier(looks.look(str(repository))) is Tier.PREMIUM


def test_the_users_own_limits_hold_from_the_next_look_on(repository: Path) -> None:
    write(repository, "[budget]\nday_usd = 10.0\n")
    limits = UserLimits()
    looks = Workspaces(lambda: limits)
    before = looks.look(str(repository))
    limits = UserLimits(day_pusd=10**12)
    after = looks.look(str(repository))
    assert before.dotfile is not None
    assert after.dotfile is not None
    assert (before.dotfile.budget.day_pusd, after.dotfile.budget.day_pusd) == (10 * 10**12, 10**12)


@pytest.mark.parametrize(
    ("head", "branch"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/feature/x", "feature/x"),
        ("0123456789abcdef0123456789abcdef01234567\n", "0123456789ab"),
        ("ref: refs/remotes/origin/main\n", "refs/remotes/origin/main"),
        ("", ""),
    ],
)
def test_the_branch_that_is_checked_out(repository: Path, head: str, branch: str) -> None:
    (repository / ".git" / "HEAD").write_text(head)
    assert looking().look(str(repository)).branch == branch


def test_a_change_of_branch_is_seen_at_the_next_look(repository: Path) -> None:
    looks = looking()
    assert looks.look(str(repository)).branch == "feature/login"
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert looks.look(str(repository)).branch == "main"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ('[remote "origin"]\n\turl = git@example.org:ann/shop.git\n', "ann/shop"),
        ('[core]\n\tbare = false\n[remote "origin"]\n\turl = https://ann:secret@example.org/team/ann/shop.git/\n', "ann/shop"),
        ('[remote "fork"]\n\turl = ssh://git@example.org:22/bob/shop\n[remote "origin"]\n\turl = /srv/git/ann/shop.git', "ann/shop"),
        ('[remote "fork"]\n\tfetch = x\n\turl = ssh://git@example.org:22/bob/shop\n', "bob/shop"),
        ('[remote "origin"]\n\turl = https://ann:secret@example.org\n', "example.org"),
        ("[core]\n\tbare = false\n", "repository"),
        ('[remote "origin"]\n\tfetch = x\n[branch "main"]\n\turl = nothing\n', "repository"),
        ("\xff nonsense", "repository"),
    ],
)
def test_a_repository_is_called_as_its_remote_calls_it(repository: Path, settings: str, name: str) -> None:
    (repository / ".git" / "config").write_text(settings, encoding="latin-1")
    assert Workspaces(UserLimits).look(str(repository)).repository == name


@pytest.mark.parametrize("pointer", ["gitdir: {git}", "gitdir: ../repository/.git/worktrees/tree\n"])
def test_a_worktree_has_a_branch_of_its_own(repository: Path, pointer: str) -> None:
    git = repository / ".git" / "worktrees" / "tree"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/side\n")
    tree = repository.parent / "tree"
    tree.mkdir()
    (tree / ".git").write_text(pointer.format(git=git))
    found = looking().look(str(tree))
    assert (found.project, found.branch) == (str(tree), "side")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"gitdir: ", b"\xff\xfe", b"gitdir: /none"])
def test_an_odd_git_file_is_a_repository_without_a_branch(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    found = looking().look(str(tmp_path))
    assert (found.project, found.branch) == (str(tmp_path), "")


def test_without_a_repository_the_folder_is_the_project(home: Path) -> None:
    folder = home / "plain"
    folder.mkdir()
    found = looking().look(str(folder))
    assert (found.project, found.branch, found.folder) == (str(folder), "", str(folder))


def test_a_second_look_reads_nothing_again_where_nothing_changed(repository: Path) -> None:
    write(repository)
    looks = looking()
    assert looks.look(str(repository)) is looks.look(str(repository))


def test_a_workspace_is_news_when_it_is_first_seen_and_when_it_has_changed(repository: Path) -> None:
    path = write(repository)
    told: list[Tier | None] = []
    looks = looking()
    looks.on_news = lambda workspace: told.append(tier(workspace))
    looks.look(str(repository))
    looks.look_again()
    assert told == [Tier.PREMIUM]
    path.write_text(BALANCED)
    looks.look_again()
    looks.look_again()
    assert told == [Tier.PREMIUM, Tier.BALANCED]
    path.write_text(BALANCED)  # Written anew with the same words: no news.
    looks.look_again()
    assert told == [Tier.PREMIUM, Tier.BALANCED]


def test_only_so_many_workspaces_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspaces_module, "WORKSPACES_MAX", 3)
    looks = looking()
    for number in range(10):
        looks.look(f"{tmp_path}/w{number}")
        looks.look(f"{tmp_path}/w0")
    assert [one.root for one in looks.known()] == [f"{tmp_path}/w8", f"{tmp_path}/w9", f"{tmp_path}/w0"]


@pytest.mark.parametrize(
    ("root", "folder", "file", "seen"),
    [
        ("/r", "/r", "src/a.py", "src/a.py"),
        ("/r/app", "/r", "src/a.py", "app/src/a.py"),
        ("/r/app", "/r", "../docs/a.md", "docs/a.md"),
        ("/r/app", "/r", "./a.py", "app/a.py"),
        ("/r/app", "/r", "/r/app/a.py", "app/a.py"),
        ("/r/app", "/r", "/etc/passwd", "/etc/passwd"),
        ("/r/app", "/r", "../../other/a.py", "/other/a.py"),
        ("/r/app/", "/r", "a.py", "app/a.py"),
        ("/r", "/r", "/rust/a.py", "/rust/a.py"),
        ("/", "/", "etc/a", "etc/a"),
        ("", "", "src/a.py", "src/a.py"),
        ("/r", "/r", "half \ud83d.py", "half ?.py"),
    ],
)
def test_files_are_seen_from_the_folder_of_the_projects_file(root: str, folder: str, file: str, seen: str) -> None:
    assert relative_to_folder(Workspace(root=root, folder=folder), (file,)) == (seen,)
