"""Whose step it is, pure: sessions recognised from what requests repeat, and kept as a fold of the journal."""
