"""The worker: takes jobs from the broker and does them. It knows how to run work, and no work."""
