"""The evaluate stage: scores, calibration, figures."""
