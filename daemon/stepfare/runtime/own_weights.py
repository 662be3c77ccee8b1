"""The weights in force: those that ship, corrected by what `stepfare learn` has kept of the user's own steps. A file that cannot be used is
a problem to be told, and the shipped weights serve.
"""

from __future__ import annotations

from stepfare.core.problem import Problem
from stepfare.paths import Paths
from stepfare.steps.classify import WEIGHTS
from stepfare.steps.learning import read_correction
from stepfare.steps.weights import BadWeights, Weights

FILE_BYTES_MAX = 1024 * 1024
"""A correction has a few hundred numbers."""


def weights_at_hand(paths: Paths) -> tuple[Weights, tuple[Problem, ...]]:
    """What tells steps apart from now on, and what is wrong with the user's own file."""
    try:
        with paths.weights_json.open("rb") as file:
            return read_correction(file.read(FILE_BYTES_MAX), WEIGHTS), ()
    except FileNotFoundError:
        return WEIGHTS, ()
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
    except BadWeights as error:
        why = str(error)
    words = (
        f"{paths.weights_json} is not used: {why}. The weights that ship serve; `stepfare learn` fits new ones, `stepfare learn --forget`"
        " removes it."
    )
    return WEIGHTS, (Problem(paths.weights_json.name, "unreadable", words, "warning"),)
