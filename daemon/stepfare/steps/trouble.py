"""What speaks of trouble in a session: evidence, of which no single error is any."""

from __future__ import annotations

from stepfare.core.step import StepFeatures
from stepfare.steps.rules import STUCK_FAILURES


def pieces(features: StepFeatures) -> int:
    """How many pieces of evidence this step shows."""
    return features.failures // STUCK_FAILURES
