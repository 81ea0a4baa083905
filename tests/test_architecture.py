"""The architecture, enforced: who may import whom, how long a file is, what it is called."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.repository import PACKAGE, ROOT, files_ending, label, tree_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES = 600

# Whole names that say nothing about what is inside.
BANNED_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "common", "manager", "handler", "data", "process"}
    | {"core", "misc", "stuff"}
)

# What a part of the package may import from the rest of it. What a verifier needs never imports
# what a prover or a compiler needs, and the second implementation shares nothing with the first.
FORBIDDEN_IMPORTS = {
    "errors": {"*"},
    "reference": {"_core", "cli", "compiler", "demo", "policy", "program", "receipt", "verifier"},
    "program": {"cli", "compiler", "demo", "policy", "receipt", "verifier"},
    "keys": {"cli", "compiler", "demo", "policy", "verifier"},
    "commitment": {"cli", "compiler", "demo", "policy", "verifier"},
    "receipt": {"cli", "compiler", "demo", "policy", "tlog", "verifier"},
    "tlog": {"cli", "compiler", "demo", "policy", "program", "verifier"},
    "seeds": {"cli", "compiler", "demo", "policy", "verifier"},
    "policy": {"cli", "compiler", "demo", "verifier"},
    "tee": {"cli", "compiler", "demo", "policy", "program", "verifier"},
    "verifier": {"cli", "compiler", "demo"},
    "compiler": {"cli", "demo", "policy", "receipt", "verifier"},
    "post": {"cli", "client", "compiler", "demo", "serve"},
    "serve": {"cli", "client", "compiler", "demo"},
    "client": {"cli", "compiler", "demo", "serve"},
    "online": {"cli", "client", "compiler", "demo", "policy", "serve", "verifier"},
    "inference_protocol": {"*"},
}

# Where packages of extras may be imported; everything else runs on the base install.
OPTIONAL_SIDE = (
    "compiler",
    "cli",
    "demo",
    "serve",
    "client",
    "inference_protocol",
    "online",
    "tee",
)

STDLIB = frozenset(sys.stdlib_module_names)


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute module) of every import statement, at any depth of nesting."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{label(path)}:{node.lineno}: relative import"
            assert node.module is not None
            yield node.lineno, node.module
            # `from veridical import errors` names a module, not an attribute.
            if node.module == "veridical":
                for alias in node.names:
                    yield node.lineno, f"veridical.{alias.name}"


def part_of(path: Path) -> str:
    """Return the first name below the package: `receipt/codec.py` belongs to `receipt`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py").removesuffix(".pyi")


def package_sources() -> list[Path]:
    return files_ending(".py", ".pyi", under="python/veridical")


@pytest.mark.parametrize("part", sorted(FORBIDDEN_IMPORTS))
def test_import_direction(part: str) -> None:
    forbidden = FORBIDDEN_IMPORTS[part]
    wrong = []
    for path in package_sources():
        if part_of(path) != part:
            continue
        for line, module in imported_modules(path):
            head, _, rest = module.partition(".")
            target = rest.partition(".")[0]
            if head == "veridical" and target and ("*" in forbidden or target in forbidden):
                wrong.append(f"{label(path)}:{line}: {part} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_direction_table_knows_every_part_of_the_verifier_side() -> None:
    parts = {part_of(path) for path in package_sources()}
    # The public names, the commands and the extension's stub may import anything.
    free = {"__init__", "__main__", "_core", "cli", "demo", "py.typed"}
    unruled = parts - free - set(FORBIDDEN_IMPORTS)
    # A part without a rule of its own must at least keep out of the compiler and the commands.
    wrong = [
        f"{label(path)}:{line}: imports {module}"
        for path in package_sources()
        if part_of(path) in unruled
        for line, module in imported_modules(path)
        if module.startswith(("veridical.compiler", "veridical.cli", "veridical.demo"))
    ]
    assert not wrong, "\n".join(wrong)


def test_base_install_is_enough_outside_the_compiler() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {name.split(">")[0].replace("-", "_") for name in project["dependencies"]}
    wrong = [
        f"{label(path)}:{line}: {module} is not in the base install"
        for path in package_sources()
        if part_of(path) not in OPTIONAL_SIDE
        for line, module in imported_modules(path)
        if module.partition(".")[0] not in base | STDLIB | {"veridical"}
    ]
    assert not wrong, "\n".join(wrong)


def test_verifier_side_runs_without_the_optional_packages() -> None:
    # A base install is imitated: whatever only the extras bring cannot be imported.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    hidden = {re.split(r"[<>=]", name)[0] for names in extras.values() for name in names}
    modules = sorted(
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in files_ending(".py", under="python/veridical")
        if part_of(path)
        not in {"compiler", "demo", "serve", "client", "inference_protocol", "online", "tee"}
    )
    code = f"""
import importlib, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(hidden)}:
            raise ImportError(name + " is not in the base install")

sys.meta_path.insert(0, Hidden())
for module in {modules}:
    importlib.import_module(module)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@cache
def rust_dependencies() -> dict[str, set[str]]:
    """Return the normal and build dependencies of every workspace crate."""
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        package["name"]: {d["name"] for d in package["dependencies"] if d["kind"] != "dev"}
        for package in json.loads(run.stdout)["packages"]
    }


@pytest.mark.parametrize(
    ("crate", "forbidden"),
    [
        ("veridical-program", {"veridical-executor", "veridical-python", "pyo3", "numpy"}),
        ("veridical-executor", {"veridical-python", "pyo3", "numpy"}),
        ("veridical-argument", {"veridical-executor", "veridical-prover", "rayon", "pyo3"}),
        ("veridical-verifier", {"veridical-executor", "veridical-prover", "rayon", "pyo3"}),
        ("veridical-receipt", {"veridical-prover", "rayon", "pyo3"}),
        ("veridical-seeds", {"veridical-executor", "veridical-prover", "rayon", "pyo3"}),
    ],
)
def test_crate_direction(crate: str, forbidden: set[str]) -> None:
    assert not rust_dependencies()[crate] & forbidden


def test_verifier_of_proofs_starts_no_thread() -> None:
    command = ["cargo", "tree", "--offline", "-p", "veridical-verifier", "-e", "normal"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert " rayon v" not in run.stdout
    assert " p3-maybe-rayon v" in run.stdout


def test_every_rust_dependency_comes_from_a_release() -> None:
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    wrong = [
        f"{package['name']}: {dependency['name']} from {dependency['source']}"
        for package in json.loads(run.stdout)["packages"]
        for dependency in package["dependencies"]
        if (dependency["source"] or "").startswith("git+")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("crate", ["program", "receipt", "seeds", "verifier"])
def test_verifier_closure_keeps_its_lints(crate: str) -> None:
    text = (ROOT / "crates" / crate / "src" / "lib.rs").read_text(encoding="utf-8")
    assert "#![forbid(unsafe_code)]" in text
    denied = text.partition("#![deny(")[2].partition(")]")[0]
    for lint in (
        "arithmetic_side_effects",
        "as_conversions",
        "disallowed_types",
        "float_arithmetic",
        "indexing_slicing",
        "panic_in_result_fn",
    ):
        assert f"clippy::{lint}" in denied, f"crates/{crate} no longer denies clippy::{lint}"


def test_no_exception_from_the_float_lint_in_rust() -> None:
    # Bit exactness is a lint; the executor's kernels and the program crate know integers only.
    wrong = [
        label(path)
        for crate in ("program", "executor")
        for path in files_ending(".rs", under=f"crates/{crate}/src")
        if "expect(clippy::float_arithmetic" in path.read_text(encoding="utf-8")
    ]
    assert not wrong, "\n".join(wrong)
    for crate in ("program", "executor"):
        text = (ROOT / "crates" / crate / "src" / "lib.rs").read_text(encoding="utf-8")
        assert "clippy::float_arithmetic" in text.partition("#![deny(")[2], crate


def test_no_source_file_is_too_long() -> None:
    long = [
        f"{label(path)}: {count} lines"
        for path in files_ending(".css", ".js", ".mjs", ".py", ".pyi", ".rs", ".sh")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    ]
    assert not long, "\n".join(long)


def test_no_file_has_a_name_that_says_nothing() -> None:
    sources = files_ending(".js", ".py", ".pyi", ".rs")
    named = [path for path in sources if path.stem.strip("_") in BANNED_NAMES]
    wrong = [label(path) for path in named if path.stem != "_core"]
    assert not wrong, "\n".join(wrong)


def test_every_public_name_has_a_docstring() -> None:
    missing = []
    for path in files_ending(".py", under="python/veridical"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        nodes: list[ast.AST] = [module]
        while nodes:
            node = nodes.pop()
            documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            if isinstance(node, documented):
                name = getattr(node, "name", path.stem)
                # `@overload` bodies and private names explain themselves in one place only.
                if ast.get_docstring(node) is None and not is_exempt(node):
                    missing.append(f"{label(path)}:{getattr(node, 'lineno', 1)}: {name}")
            if isinstance(node, ast.Module | ast.ClassDef) and not is_exempt(node):
                nodes += node.body
    assert not missing, "\n".join(missing)


def is_exempt(node: ast.AST) -> bool:
    """Return whether a definition is private, or one of several signatures."""
    if isinstance(node, ast.Module):
        return False
    if getattr(node, "name", "").startswith("_"):
        return True
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in decorators)


def test_the_tree_is_seen() -> None:
    # Guards the tests above: an empty list of files would pass them all.
    seen = {label(path) for path in tree_files()}
    assert {"Makefile", "python/veridical/errors.py", "crates/program/src/lib.rs"} <= seen
