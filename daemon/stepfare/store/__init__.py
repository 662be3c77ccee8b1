"""The books on disk: the journal and what is derived from it, in one SQLite file. What entries mean is the ledger's business."""
