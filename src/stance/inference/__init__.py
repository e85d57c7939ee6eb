"""The predict stage: a bundle that answers."""
