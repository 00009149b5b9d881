"""Models for other programs: ONNX with everything inside, and torch.export.

`onnx_file.write` makes the file, `runtime` reads it without torch, `check` compares the two on photographs.
"""
