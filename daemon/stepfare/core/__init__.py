"""The shared values: frozen, small, standard library only."""
