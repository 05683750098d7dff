"""Runs a function in Python once, as Lambda would.

The argument is its file. The event comes from standard input, and the result goes to standard output. What the function
prints is its log.
"""

import importlib
import json
import pathlib
import sys
import types

file = pathlib.Path(sys.argv[1])
output, sys.stdout = sys.stdout, sys.stderr
# What it imports is beside it, not beside this script.
sys.path[0] = str(file.parent)
context = types.SimpleNamespace(aws_request_id="local", function_name=file.stem)
json.dump(importlib.import_module(file.stem).handler(json.load(sys.stdin), context), output)
