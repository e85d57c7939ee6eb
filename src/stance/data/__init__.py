"""The prepare stage: raw rows to checked, split data."""
