"""What the programs are that agents call in a shell: which look, search, test and change, and which only carry another command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from stepfare.core.step import ActionKind
from stepfare.steps.tables import words

NEUTRAL = frozenset(
    words(
        "echo printf true false : export set unset source . sleep read printenv wait exit return test [ [[ local declare",
        "typeset readonly shift alias pushd popd cd trap ulimit umask clear break continue fi done esac } ) case for in",
        "function shopt let Write-Host Write-Output Set-Location write-host write-output set-location Start-Sleep start-sleep",
        "then else do date hostname whoami id uname",
    )
)
COMPOSERS = frozenset({"cat", "echo", "printf", "tee", ":", "true", "Write-Output", "write-output"})
FILTERS = frozenset(
    words(
        "cat head tail wc sort uniq cut tr column jq yq sed awk gawk grep egrep fgrep rg less more xxd od nl tac fold paste tee",
        "select-object select-string where-object format-table out-string measure-object sort-object foreach-object perl",
    )
)
READERS = frozenset(
    words(
        "cat less more head tail bat nl wc stat file md5 md5sum sha1sum sha256sum shasum cksum diff cmp od xxd hexdump strings",
        "column sort uniq cut tr comm paste tac zcat readlink realpath basename dirname du df lsof ps pgrep env printenv",
        "man help get-content gc get-item get-itemproperty select-object test-path get-date nm objdump ldd",
    )
)
LISTERS = frozenset(words("ls tree dir exa eza pwd get-childitem gci lsd"))
SEARCHERS = frozenset(words("grep egrep fgrep rg ag ack ugrep zgrep fd fdfind locate select-string sls ast-grep"))
WEB = frozenset(words("curl wget http https xh lynx w3m invoke-webrequest invoke-restmethod iwr irm"))
WRITERS = frozenset(["tee", "set-content", "out-file", "new-item", "truncate"])
EDITORS = frozenset(words("patch ed ex apply_patch applypatch add-content sponge 2to3"))

VERIFIERS = frozenset(
    words(
        # tests
        "pytest py.test tox nox jest vitest mocha ava tap karma rspec phpunit pest ctest nosetests trial runtests.py runtests",
        "playwright cypress bats gotestsum cucumber behave",
        # linters, formatters, type checkers
        "mypy pyright basedpyright pyre ruff flake8 pylint black isort bandit eslint prettier tsc vue-tsc stylelint biome oxlint",
        "golangci-lint staticcheck gofmt goimports gofumpt shellcheck shfmt hadolint yamllint markdownlint markdownlint-cli2",
        "rubocop swiftlint ktlint detekt cppcheck clang-tidy clang-format pre-commit lint-imports vulture pycodestyle rustfmt",
        "govulncheck actionlint xo standard modernize fieldalignment",
        # builds
        "make gmake ninja cmake bazel bazelisk buck buck2 meson gradle gradlew mvn mvnw ant sbt xcodebuild msbuild javac",
        "gcc g++ clang clang++ rustc cc c++ webpack rollup esbuild turbo nx lake swiftc ghc dune goreleaser",
    )
)
VERIFYING = re.compile(
    r"(?:^|[:_./-])(?:tests?|spec|lint|linting|check|checks|build|typecheck|types?|tsc|format|fmt|verify|e2e|ci|vet|unit)(?:$|[:_.-])",
    re.IGNORECASE,
)
"""A task of a package's own (`npm run lint:fix`, `mise run test:ci`) that proves something."""
TEST_SCRIPT = re.compile(
    r"(?:^|[/_.-])(?:tests?|runtests|repro|reproduce|reproduction|verify|check|spec|debug)(?:[_.\d-]|$)|_(?:test|spec)\.\w+$", re.IGNORECASE
)

SUBCOMMANDS: Mapping[str, Mapping[ActionKind, frozenset[str]]] = {
    "go": {
        ActionKind.TEST: frozenset({"test", "vet", "build", "fmt", "fix"}),
        ActionKind.READ: frozenset({"doc", "list", "env", "version"}),
    },
    "cargo": {
        ActionKind.TEST: frozenset({"test", "t", "check", "c", "clippy", "build", "b", "fmt", "bench", "nextest", "miri", "deny", "audit"}),
        ActionKind.READ: frozenset({"tree", "metadata"}),
        ActionKind.SEARCH: frozenset({"search"}),
    },
    "dotnet": {ActionKind.TEST: frozenset({"test", "build", "format", "msbuild"})},
    "deno": {ActionKind.TEST: frozenset({"test", "check", "lint", "fmt", "bench"})},
    "mix": {ActionKind.TEST: frozenset({"test", "compile", "format", "credo", "dialyzer"})},
    "swift": {ActionKind.TEST: frozenset({"test", "build"})},
    "zig": {ActionKind.TEST: frozenset({"test", "build", "fmt"})},
    "flutter": {ActionKind.TEST: frozenset({"test", "analyze", "build"})},
    "dart": {ActionKind.TEST: frozenset({"test", "analyze", "format", "compile"})},
    "rake": {ActionKind.TEST: frozenset({"test", "spec"})},
    "rails": {ActionKind.TEST: frozenset({"test", "spec"})},
    "stack": {ActionKind.TEST: frozenset({"test", "build"})},
    "cabal": {ActionKind.TEST: frozenset({"test", "build"})},
    "composer": {ActionKind.TEST: frozenset({"test", "lint", "validate"})},
    "docker": {ActionKind.READ: frozenset({"ps", "logs", "images", "inspect", "version", "info"}), ActionKind.TEST: frozenset({"build"})},
    "kubectl": {ActionKind.READ: frozenset({"get", "describe", "logs", "explain", "version"})},
    "pip": {ActionKind.READ: frozenset({"show", "list", "freeze", "check"}), ActionKind.WEB: frozenset({"search", "index", "download"})},
    "brew": {ActionKind.READ: frozenset({"list", "info"}), ActionKind.SEARCH: frozenset({"search"})},
    "apt": {ActionKind.READ: frozenset({"list", "show"}), ActionKind.SEARCH: frozenset({"search"})},
}
GIT: Mapping[ActionKind, frozenset[str]] = {
    ActionKind.SEARCH: frozenset({"grep"}),
    ActionKind.EDIT: frozenset({"apply", "am"}),
    ActionKind.READ: frozenset(
        words(
            "status diff log show blame rev-parse ls-files ls-tree cat-file describe reflog shortlog merge-base for-each-ref",
            "rev-list name-rev whatchanged range-diff count-objects diff-tree check-ignore ls-remote show-ref var version help",
            "difftool annotate diff-index verify-commit symbolic-ref cherry",
        )
    ),
}
GIT_LOOKS: Mapping[str, Callable[[tuple[str, ...]], bool]] = {
    # Commands that look or change, as their words say.
    "branch": lambda rest: (
        all(word.startswith("-") and word not in ("-d", "-D", "-m", "-M", "-f", "--delete") for word in rest)
        or any(word in ("--list", "-l", "--contains", "--merged", "--show-current", "-r", "-a") for word in rest)
    ),
    "tag": lambda rest: not rest or any(word in ("-l", "--list", "--contains", "-n") for word in rest),
    "remote": lambda rest: not rest or rest[0] in ("-v", "show", "get-url", "--verbose"),
    "config": lambda rest: (
        any(word in ("--get", "--list", "-l", "--get-all", "--get-regexp", "get", "list") for word in rest) or len(rest) == 1
    ),
    "stash": lambda rest: bool(rest) and rest[0] in ("list", "show"),
    "worktree": lambda rest: bool(rest) and rest[0] == "list",
    "submodule": lambda rest: bool(rest) and rest[0] in ("status", "summary"),
    "notes": lambda rest: bool(rest) and rest[0] in ("show", "list"),
    "bisect": lambda rest: bool(rest) and rest[0] in ("log", "view"),
}
HUB_LOOKS = frozenset({"view", "list", "diff", "checks", "status", "watch", "api", "search", "browse", "ls", "download"})

PACKAGE_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
PACKAGE_TESTS = frozenset({"test", "t", "tst", "it", "build", "lint", "check", "typecheck", "format", "tsc"})
PACKAGE_LOOKS = frozenset({"ls", "list", "view", "info", "outdated", "why", "explain", "audit", "-v", "--version", "show"})

RUNNERS: Mapping[str, frozenset[str]] = {
    # Programs that run another one: the options of theirs that take a value.
    "npx": frozenset({"-p", "--package", "-c"}),
    "bunx": frozenset(),
    "uvx": frozenset({"--from", "--with", "-p", "--python"}),
    "pipx": frozenset({"--spec"}),
    "uv": frozenset({"--with", "--group", "--extra", "-p", "--python", "--project", "--directory", "--package", "--from"}),
    "poetry": frozenset({"-C", "--directory"}),
    "pipenv": frozenset(),
    "hatch": frozenset({"-e", "--env"}),
    "pdm": frozenset({"-p"}),
    "rye": frozenset(),
    "bundle": frozenset(),
    "mise": frozenset({"-C", "--cd", "-E"}),
    "just": frozenset({"-f", "--justfile", "-d"}),
    "task": frozenset({"-d", "-t"}),
    "direnv": frozenset(),
    "dotenv": frozenset({"-f", "-e"}),
    "rtk": frozenset(),
    "devbox": frozenset(),
    "nix": frozenset(),
}
WRAPPERS: Mapping[str, frozenset[str]] = {
    # Prefixes that change how a command runs, not what it does.
    "sudo": frozenset({"-u", "-g", "-C", "-h", "-p"}),
    "doas": frozenset({"-u"}),
    "time": frozenset({"-f", "-o"}),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "gtimeout": frozenset({"-s", "-k"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "stdbuf": frozenset({"-o", "-e", "-i"}),
    "env": frozenset({"-u", "-C"}),
    "command": frozenset(),
    "builtin": frozenset(),
    "exec": frozenset({"-a"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-s", "-a"}),
    "parallel": frozenset({"-j"}),
    "watch": frozenset({"-n"}),
    "script": frozenset(),
    "caffeinate": frozenset(),
    "wsl": frozenset({"-d", "-u", "--cd"}),
    "wsl.exe": frozenset({"-d", "-u", "--cd"}),
    "winpty": frozenset(),
    "xvfb-run": frozenset({"-s", "-n"}),
    "eval": frozenset(),
    "&": frozenset(),
}
TAKES_NUMBER = frozenset({"timeout", "gtimeout"})
KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "("})
SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "fish", "pwsh", "powershell", "cmd", "pwsh.exe", "powershell.exe", "cmd.exe"})
# How Python, JavaScript and Ruby write files.
WRITING_CODE = re.compile(
    r"open\([^)]{0,200},\s*(?:mode\s*=\s*)?[rb]?\\?['\"][wa]b?\+?\\?['\"]"
    r"|\.write_text\(|\.write_bytes\(|\.writelines\(|\bwriteFile(?:Sync)?\(|\bappendFile(?:Sync)?\(|File\.write\("
)

KIND_OF: Mapping[str, ActionKind] = {
    **dict.fromkeys(READERS, ActionKind.READ),
    **dict.fromkeys(LISTERS, ActionKind.LIST),
    **dict.fromkeys(("which", "where", "whereis", "type", "command", "get-command"), ActionKind.SEARCH),
    **dict.fromkeys(WEB, ActionKind.WEB),
    **dict.fromkeys(WRITERS, ActionKind.WRITE),
    **dict.fromkeys(EDITORS, ActionKind.EDIT),
}
