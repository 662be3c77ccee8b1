"""Wire formats, pure: fed with bytes, they know no socket and no provider."""
