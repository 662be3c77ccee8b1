"""What a file is, told from its path alone: source, a test, a setting, a page to read, or something made to try an idea out."""

from __future__ import annotations

import re
from functools import lru_cache

from stepfare.core.step import FileKind
from stepfare.steps.tables import words

PATHS_KEPT = 2_048

_SCRATCH_FOLDER = re.compile(r"^(?:/private)?(?:/tmp/|/var/tmp/|/var/folders/)|/scratchpad/", re.IGNORECASE)
_SCRATCH_NAME = re.compile(
    r"^(?:repro|reproduce|reproduction|issue|debug|demo|example|scratch|tmp|temp|try|poc|verify|check|patch|fix|apply|modify|edit|update)"
    r"(?:[_\-.\d]|$)|^test_?(?:script|fix|issue|bug|repro|case|it|me|\d+)?\.(?:py|js|ts|rb|php|sh|go)$",
    re.IGNORECASE,
)
_TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testing|testdata|e2e)/|(?:^|/)(?:test_[^/]*|[^/]*[._-](?:test|spec|tests))\.\w+$", re.IGNORECASE
)
_TEST_CASE_NAME = re.compile(r"(?:^|/)[A-Z]\w*(?:Test|Tests|Spec)\.\w+$|(?:^|/)conftest\.py$")
_CONFIG_NAME = re.compile(
    r"^(?:Makefile|GNUmakefile|Dockerfile.*|docker-compose.*|Jenkinsfile|Procfile|go\.(?:mod|sum)|package(?:-lock)?\.json|tsconfig.*\.json"
    r"|requirements.*\.txt|setup\.(?:py|cfg)|pyproject\.toml|tox\.ini|\.[\w.-]+|CMakeLists\.txt|BUILD(?:\.bazel)?|.*\.lock|mise\.toml)$"
)
_EXTENSIONS: dict[str, FileKind] = {
    **dict.fromkeys(
        words(
            "py pyi pyx go rs js jsx ts tsx mjs cjs java kt kts scala groovy c h cc cpp cxx hpp hh m mm cs fs vb rb php pl pm lua r jl",
            "swift dart ex exs erl hs ml mli clj cljs el lisp sh bash zsh fish ps1 bat sql vue svelte astro html htm css scss sass less",
            "proto thrift graphql tmpl tpl jinja j2 ejs zig nim v sol tf hcl nix asm s",
        ),
        FileKind.SOURCE,
    ),
    **dict.fromkeys(words("md mdx rst txt adoc org tex pdf"), FileKind.DOCS),
    **dict.fromkeys(words("json yaml yml toml ini cfg conf env properties xml plist gradle cmake mk"), FileKind.CONFIG),
    **dict.fromkeys(
        words("csv tsv log out png jpg jpeg gif svg ico webp zip gz tar bin dat db sqlite jsonl ipynb patch diff"), FileKind.DATA
    ),
}


@lru_cache(maxsize=PATHS_KEPT)
def kind_of_file(path: str) -> FileKind:
    """What the file at this path is."""
    path = path.replace("\\", "/")
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    by_extension = _EXTENSIONS.get(extension.lower(), FileKind.OTHER) if dot and stem else FileKind.OTHER
    if _SCRATCH_FOLDER.search(path):
        return FileKind.SCRATCH
    if by_extension is FileKind.SOURCE and _SCRATCH_NAME.match(name) and path.count("/") <= (2 if path.startswith("/") else 1):
        return FileKind.SCRATCH
    if by_extension is not FileKind.DOCS and (_TEST.search(path) or _TEST_CASE_NAME.search(path)):
        return FileKind.TEST
    if _CONFIG_NAME.match(name):
        return FileKind.CONFIG
    return by_extension
