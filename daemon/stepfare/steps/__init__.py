"""Which step it is: features of a request, the kind of turn that is to come, and what it turned out to be."""
