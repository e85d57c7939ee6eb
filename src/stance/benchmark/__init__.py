"""The benchmark job: systems beside each other over seeds, in one table."""
