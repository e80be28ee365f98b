"""The model library: plain functions and classes over torch and onnxruntime, no engine inside."""
