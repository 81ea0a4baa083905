"""The compiler: a float ONNX model becomes the canonical integer program.

| Module                     | Purpose                                                       |
|----------------------------|---------------------------------------------------------------|
| `frontend`                 | reads ONNX safely, rewrites it to the float graph of `ir`     |
| `expression`, `interval`   | functions of one variable, rounded correctly into tables      |
| `evaluate`, `calibrate`    | float64 evaluation and ranges over real samples               |
| `rewrite`, `lower`         | the float graph to ops of the integer program                 |
| `builder`, `tables`        | nodes, consts and shared tables while they come about         |
| `report`, `show`           | what was chosen and how close it is; table, JSON, picture     |
| `driver`                   | the public functions                                          |

Needs the extra `compile`. Source: spec/v1/program.md.
"""

from __future__ import annotations

from veridical.compiler.driver import Compiled, compile, compile_model  # noqa: A004
from veridical.compiler.report import CompileReport

__all__ = ["CompileReport", "Compiled", "compile", "compile_model"]
