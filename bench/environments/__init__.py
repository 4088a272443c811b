"""Time one model in several Python environments at once: may I upgrade onnxruntime, torch, Python or my own package?"""
