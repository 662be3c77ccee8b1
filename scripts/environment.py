"""Make, check and enter the environment (`.venv`) that `scripts/start`, `scripts/test` and `scripts/lock` run in.

Everything here runs on the bare Python of a new machine: standard library only, and a grammar that Python 3.6 reads (so no
`from __future__ import annotations`), because a wrong Python must get as far as a clear word. What the scripts do inside the
environment is theirs.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from typing import Iterator, NoReturn

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOCK_FILE = os.path.join(ROOT, ".venv.lock")
# Written last, so an environment that carries the right stamp is whole.
STAMP = os.path.join(VENV, "stepfare-stamp")
# Written first: an environment that still carries it was cut short and is made anew.
UNFINISHED = os.path.join(VENV, "stepfare-unfinished")

OLDEST = (3, 11)
NEWEST_TESTED = (3, 14)
# Tells a re-executed script that it was chosen, so that a Python that lies about its name cannot send it round and round.
CHOSEN_VARIABLE = "STEPFARE_PYTHON_CHOSEN"

LEVELS = {"run": "requirements.lock", "test": "requirements-dev.lock"}
# A stamp of the first kind serves whoever asks for the second: the lock for tests holds every pin of the lock for running.
SERVES = {"run": ("run", "test"), "test": ("test",)}

# Enough of a script to see which Python it begins with.
SCRIPT_HEAD_BYTES = 4096
PIP_RETRIES = 3
PIP_LINES_SHOWN = 15
# Settings of a person's pip that would put the packages elsewhere than into the environment, or leave some out.
PIP_VARIABLES_DROPPED = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_NO_DEPS",
    "PIP_REQUIREMENT",
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_PYTHON",
)
PYTHON_VARIABLES_DROPPED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__")
# What pip and venv print, and what to do then; the first that fits.
ADVICE = (
    (("No space left",), "The disk is full. Make room (about 500 MB for tests, 150 MB to run), then run this again."),
    (
        ("DO NOT MATCH THE HASHES",),
        "A package is not the one that was pinned, so it was not installed."
        " Check the mirror that pip uses (pip config list), then run this again.",
    ),
    (
        (
            "Failed to establish a new connection",
            "Temporary failure in name resolution",
            "nodename nor servname",
            "Network is unreachable",
            "Connection refused",
            "Cannot connect to proxy",
            "connection broken by",
            "Max retries exceeded",
            "Read timed out",
        ),
        "The package index cannot be reached."
        " Check the network, the proxy (HTTPS_PROXY) or your mirror (PIP_INDEX_URL), then run this again.",
    ),
    (
        ("(from versions: none)",),
        "The package index cannot be reached, or does not have that package."
        " Check the network, the proxy (HTTPS_PROXY) or your mirror (PIP_INDEX_URL), then run this again.",
    ),
    (("ensurepip",), "Debian, Ubuntu: apt install python3-venv, then run this again."),
)
ADVICE_OTHERWISE = "What it printed last is above. Mend that, then run this again; to begin from nothing, remove .venv first."


class CannotPrepare(Exception):
    """The environment cannot be made; the text says what happened, what was done and what to do."""


def say(words: str) -> None:
    """Tell the person what goes on; standard output is left to the program that is started."""
    print("stepfare: " + words, file=sys.stderr, flush=True)


def fail(words: str) -> NoReturn:
    """End the program with a word, and the exit code of a failure."""
    say(words)
    raise SystemExit(1)


def dotted(version: "tuple[int, int]") -> str:
    return f"{version[0]}.{version[1]}"


# --- the right Python ------------------------------------------------------------------------------------------------


def missing_modules() -> "list[str]":
    """The parts of the standard library that some systems package apart and that making an environment needs."""
    return [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]


def other_pythons() -> "list[str]":
    """Every other Python on PATH that would do, newest first."""
    found = []
    for minor in range(NEWEST_TESTED[1], OLDEST[1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        if path and os.path.realpath(path) != os.path.realpath(sys.executable):
            check = f"import sys, venv, ensurepip; raise SystemExit(sys.version_info[:2] < {OLDEST})"
            if subprocess.call([path, "-c", check], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
                found.append(path)
    return found


def use_a_python_that_will_do() -> None:
    """Go on if this Python can make the environment, become another one on PATH that can, or end with a word on what to install."""
    old = sys.version_info[:2] < OLDEST
    missing = [] if old else missing_modules()
    if not old and not missing:
        return
    if not os.environ.get(CHOSEN_VARIABLE):
        for path in other_pythons():
            os.environ[CHOSEN_VARIABLE] = "1"
            os.execv(path, [path, *sys.argv])
    this, oldest = dotted(sys.version_info[:2]), dotted(OLDEST)
    if old:
        fail(
            f"this is Python {this}, and stepfare needs {oldest} or newer."
            f" Looked for python{dotted(NEWEST_TESTED)} to python{oldest} on PATH and found none that will do.\n"
            f"  Install one (Debian, Ubuntu: apt install python{oldest} python{oldest}-venv; macOS: brew install python@3.13;"
            " others: python.org), then run this again."
        )
    fail(
        f"this Python {this} ({sys.executable}) has no {' and no '.join(missing)}, so no environment can be made with it.\n"
        f"  Install it (Debian, Ubuntu: apt install python3-venv, or python{this}-venv for this very Python), then run this again."
    )


# --- the environment -------------------------------------------------------------------------------------------------


def program(name: str) -> str:
    """Where a program of the environment is."""
    folder, ending = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    return os.path.join(VENV, folder, name + ending)


def stamp_of(level: str) -> str:
    """What the environment must have been made from: the lock, the project file, the place and the Python behind it."""
    digest = hashlib.sha256()
    for path in (os.path.join(ROOT, "scripts", LEVELS[level]), os.path.join(ROOT, "pyproject.toml")):
        with open(path, "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    digest.update(os.fsencode(ROOT) + b"\0" + os.fsencode(os.path.realpath(program("python"))))
    return level + " " + digest.hexdigest()


def read_stamp() -> str:
    try:
        with open(STAMP) as file:
            return file.read().strip()
    except OSError:
        return ""


def environment_is_usable(level: str) -> bool:
    """Whether `.venv` holds all that `level` needs, as far as its stamp tells; one file is read per answer."""
    stamp = read_stamp()
    return bool(stamp) and os.path.exists(program("python")) and any(stamp == stamp_of(serving) for serving in SERVES[level])


@contextlib.contextmanager
def alone() -> "Iterator[None]":
    """One run at a time makes the environment; the others wait here and then find it made."""
    try:
        import fcntl
    except ImportError:  # A system without it: two first runs at once are left to the person.
        yield
        return
    with open(LOCK_FILE, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another run is preparing the environment; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def prepare(level: str) -> None:
    """Have `.venv` ready for `level` ("run" or "test"). Quick when it is; else makes it, or ends the program with a clear word."""
    if environment_is_usable(level):
        return
    use_a_python_that_will_do()
    try:
        with alone():
            if not environment_is_usable(level):
                _make(level)
    except CannotPrepare as problem:
        fail(str(problem))
    except KeyboardInterrupt:
        fail("stopped while preparing the environment; the next run begins it anew.")
    except OSError as problem:
        fail(
            f"the environment could not be written: {problem}\n"
            f"  Make sure that {ROOT} is writable and that the disk has room, then run this again."
        )


def _make(level: str) -> None:
    began = time.monotonic()
    _clear_what_is_broken()
    ours = os.path.exists(STAMP)
    if not os.path.exists(program("python")):
        say(f"making the environment in {VENV} with Python {dotted(sys.version_info[:2])}.")
        os.makedirs(VENV, exist_ok=True)
        ours = True
    if ours:  # One that a person made by hand is never thrown away for being half done: pip goes on where it stopped.
        with open(UNFINISHED, "w"):
            pass
    if not os.path.exists(program("python")):
        _run([_base_python(), "-m", "venv", VENV], "The environment could not be made.")
    if os.path.exists(STAMP):
        os.unlink(STAMP)
    lock = os.path.join(ROOT, "scripts", LEVELS[level])
    with open(lock) as file:
        count = sum(1 for line in file if line[:1].isalnum())
    say(f"installing up to {count} packages, pinned in scripts/{LEVELS[level]}; this happens once.")
    pip = [program("python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-warn-script-location"]
    _run([*pip, "--require-hashes", "--retries", str(PIP_RETRIES), "-r", lock], "The packages could not be installed.")
    # Without build isolation: what it builds with is in the lock, so nothing is fetched that no hash vouches for.
    _run([*pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", ROOT], "stepfare itself could not be installed.")
    stamp = stamp_of(level)
    with open(STAMP + ".new", "w") as file:
        file.write(stamp + "\n")
    os.replace(STAMP + ".new", STAMP)
    if ours:
        os.unlink(UNFINISHED)
    say(f"the environment is ready ({time.monotonic() - began:.0f} s).")


def _clear_what_is_broken() -> None:
    """Remove an environment that a stopped run, a moved folder or a removed Python left unusable; never a folder that is something else."""
    if not os.path.lexists(VENV):
        return
    ours = any(os.path.exists(path) for path in (STAMP, UNFINISHED, os.path.join(VENV, "pyvenv.cfg")))
    if not ours and (not os.path.isdir(VENV) or os.listdir(VENV)):
        raise CannotPrepare(f"{VENV} is there and is no Python environment. Nothing was touched; move it away, then run this again.")
    # A stamp of other locks is brought up to date in place; an environment of another place or Python cannot be.
    half_made = os.path.exists(UNFINISHED)
    if half_made or not os.path.exists(program("python")) or not _is_at_home():
        say(f"the environment in .venv is {'half made' if half_made else 'not usable any more'}; making it anew.")
        if os.path.islink(VENV):
            os.unlink(VENV)
        else:
            shutil.rmtree(VENV)


def _is_at_home() -> bool:
    """Whether the environment believes itself to be where it is, which a moved or copied folder does not."""
    told = f"import os, sys, pip; raise SystemExit(sys.version_info[:2] < {OLDEST} or not os.path.samefile(sys.prefix, sys.argv[1]))"
    if not _quietly([program("python"), "-c", told, VENV]):
        return False
    try:
        with open(program("pip"), "rb") as file:
            return os.name == "nt" or os.fsencode(VENV) in file.read(SCRIPT_HEAD_BYTES)
    except OSError:
        return False


def _base_python() -> str:
    """The Python that environments are made with: not the one of another environment, which may go away."""
    return getattr(sys, "_base_executable", None) or sys.executable


def clean_environment() -> "dict[str, str]":
    """The variables of this process without those that would lead Python or pip out of `.venv`."""
    dropped = PIP_VARIABLES_DROPPED + PYTHON_VARIABLES_DROPPED + (CHOSEN_VARIABLE,)
    return {name: value for name, value in os.environ.items() if name not in dropped}


def _quietly(command: "list[str]") -> bool:
    try:
        return (
            subprocess.call(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment()
            )
            == 0
        )
    except OSError:
        return False


def _run(command: "list[str]", what_failed: str) -> None:
    variables = dict(clean_environment(), PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables, check=False)
    if done.returncode != 0:
        raise CannotPrepare(words_for(what_failed, done.stdout.decode("utf-8", "replace")))


def words_for(what_failed: str, output: str) -> str:
    """What happened, what was done, what to do, from what pip or venv printed."""
    lines = [line for line in output.strip().splitlines() if not line.startswith(("Ignoring ", "Looking in "))]
    advice = next((words for signs, words in ADVICE if any(sign in output for sign in signs)), "")
    if advice:  # What went wrong is known: its own words, without the tries that led there.
        lines = [line for line in lines if "ERROR" in line] or lines
    shown = "\n".join("    " + line for line in lines[-PIP_LINES_SHOWN:])
    return f"{what_failed}\n{shown}\n  {advice or ADVICE_OTHERWISE}"


def become(name: str, arguments: "list[str]") -> None:
    """Replace this process by a program of the environment, so that signals and the exit code are its own."""
    command = [program("python"), program(name), *arguments]
    variables = clean_environment()
    if os.name == "nt":
        raise SystemExit(subprocess.call([program(name), *arguments], env=variables))
    os.execve(command[0], command, variables)


def enter(script: str) -> None:
    """Go on with this script in the project's environment, made if need be, unless the packages can be imported here already."""
    if importlib.util.find_spec("stepfare") is None:
        prepare("run")
        python = program("python")
        os.execve(python, [python, os.path.realpath(script), *sys.argv[1:]], clean_environment())
