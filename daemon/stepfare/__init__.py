"""stepfare: which model serves each step of a coding agent, and what it cost."""

__version__ = "0.1.0"
