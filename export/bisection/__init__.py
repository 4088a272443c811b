"""Find the first wrong node of an ONNX file, and write the smallest file that shows it: `bisect`."""
