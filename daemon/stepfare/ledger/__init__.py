"""The books, pure: which entries are legal, how they are written down, and what they add up to. Disk is the store's business."""
