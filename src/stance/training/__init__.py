"""The train stage: fine-tuning and baselines."""
