"""The package stage: ONNX and MLflow models."""
