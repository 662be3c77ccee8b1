"""The language server: what editors show of stepfare. It knows the daemon through its control door only, and works without it."""
