"""A provider that needs no key: it plays a coding agent's moves over real HTTP and never claims to be a model."""

from stepfare.simulator.app import running, simulator_app, start
from stepfare.simulator.catalogue import catalogue
from stepfare.simulator.options import SimulatorOptions

__all__ = ["SimulatorOptions", "catalogue", "running", "simulator_app", "start"]
