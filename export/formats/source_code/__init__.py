"""A checked model.onnx as a short list of steps, from which source code in any language is written."""
