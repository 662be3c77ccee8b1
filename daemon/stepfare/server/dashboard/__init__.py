"""The dashboard: a page for people, its files, and the doors of the control API that it may use. What sums mean is the books' business."""
