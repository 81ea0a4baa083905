"""What the documents say is so: dependencies, commands, links, hosts."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache

import pytest

from tests.repository import ROOT, files_ending, label, tree_files

# Hosts that a reader is sent to. Anything else in the tree, and above all the address of a package
# index, is somebody's machine leaking into the sources.
PUBLIC_HOSTS = frozenset(
    {
        "api.drand.sh",
        "arxiv.org",
        "c2sp.org",
        "csrc.nist.gov",
        "doi.org",
        "drand.cloudflare.com",
        "eprint.iacr.org",
        "github.com",
        "in-toto.io",
        "keepachangelog.com",
        "127.0.0.1",  # the reader's own machine
        "localhost",
        "onnx.ai",
        "semver.org",
        "standards.iso.org",
        "www.apache.org",
        "www.rfc-editor.org",
        "www.w3.org",
    }
)

TEXT = (
    ".cfg",
    ".css",
    ".in",
    ".js",
    ".json",
    ".lock",
    ".md",
    ".mjs",
    ".py",
    ".pyi",
    ".rs",
    ".sh",
    ".toml",
    ".txt",
    "",
)

# Said of nothing here, because no test can show it.
BANNED_WORDS = re.compile(r"\b(trustless|tamper-?proof|guaranteed|unhackable)\b", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|\b(todo|unimplemented)!\(")

README = (ROOT / "README.md").read_text(encoding="utf-8")


def first_names(table_text: str) -> set[str]:
    """Return the names in back quotes that start the rows of Markdown tables."""
    return set(re.findall(r"^\| `([^`]+)` \|", table_text, flags=re.MULTILINE))


@cache
def section(heading: str) -> str:
    """Return one `##` section of docs/dependencies.md, found by how its heading begins."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    parts = [
        part for part in re.split(r"^## ", text, flags=re.MULTILINE) if part.startswith(heading)
    ]
    assert len(parts) == 1, f"docs/dependencies.md has {len(parts)} sections {heading!r}"
    return parts[0]


def requirement_name(line: str) -> str:
    """Return the package of a requirement such as `onnx>=1.21`."""
    return re.split(r"[<>=!~; \[]", line.strip(), maxsplit=1)[0]


def requirements_in(*, peers: bool) -> set[str]:
    """Return the packages named by the requirement sources that are no part of pyproject.toml."""
    lines = [
        line
        for path in files_ending(".in", under="requirements")
        if path.name.startswith("peers-") == peers
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return {requirement_name(line) for line in lines if line and not line.startswith("#")}


def test_python_dependencies_are_documented_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {"Python, base install": project["dependencies"]}
    for extra, names in project["optional-dependencies"].items():
        declared[f"Python, extra `{extra}`"] = names
    for heading, lines in declared.items():
        assert first_names(section(heading)) == {requirement_name(line) for line in lines}, heading
    assert first_names(section("Python, installed without")) == requirements_in(peers=False)
    assert first_names(section("Python, peers")) == requirements_in(peers=True)


def test_rust_dependencies_are_documented_and_no_other() -> None:
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    declared = {
        dependency["name"]
        for package in json.loads(run.stdout)["packages"]
        for dependency in package["dependencies"]
        if dependency["source"] is not None  # not a crate of this workspace
    }
    assert first_names(section("Rust")) == declared


def test_npm_dependencies_are_documented_and_no_other() -> None:
    declared = json.loads((ROOT / "page" / "package.json").read_text(encoding="utf-8"))
    assert first_names(section("npm")) == set(declared["devDependencies"])
    assert "dependencies" not in declared


def test_every_dependency_has_a_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `[^`]+` \| *(.*?) *\|$", text, flags=re.MULTILINE)
    assert rows
    assert all(len(reason) > 10 for reason in rows)


def test_locks_pin_every_requirement_with_hashes_and_name_no_index() -> None:
    for path in files_ending(".txt", under="requirements"):
        text = path.read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert entries, label(path)
        for entry in entries:
            assert re.match(r"[a-z0-9._-]+==\S+", entry), f"{label(path)}: {entry[:40]}"
            assert "--hash=sha256:" in entry, f"{label(path)}: {entry[:40]}"
        assert not re.search(r"index-url|find-links|https?:", text), label(path)


def test_no_deep_learning_framework_is_installed() -> None:
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(torch|tensorflow|jax|opencv-python)==", locked, flags=re.MULTILINE)


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("path", files_ending(".md"), ids=label)
def test_make_commands_in_documents_exist(path: object) -> None:
    text = (ROOT / str(path)).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|[`(\s])make ([a-z][a-z-]+)`", text))
    named |= set(re.findall(r"^make ([a-z][a-z-]+)", text, flags=re.MULTILINE))
    assert not named - make_targets()


def test_readme_names_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:50])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_receipt_shown_in_the_readme_is_a_real_one() -> None:
    shown = json.loads(README.partition("```json\n")[2].partition("```")[0])
    vector = ROOT / "vectors" / "receipt" / "valid" / "plain.receipt.json"
    assert_abridges(shown, json.loads(vector.read_text(encoding="utf-8")))


def assert_abridges(shown: object, real: object) -> None:
    """Check that a shown value is the real one, but for what an ellipsis stands for."""
    if isinstance(shown, dict):
        assert isinstance(real, dict)
        assert "…" in shown or set(shown) == set(real)
        for name in set(shown) - {"…"}:
            assert_abridges(shown[name], real[name])
    elif isinstance(shown, list):
        assert isinstance(real, list)
        for shown_item, real_item in zip(shown, real, strict=True):
            assert_abridges(shown_item, real_item)
    elif isinstance(shown, str) and shown.endswith("…"):
        assert str(real).startswith(shown.removesuffix("…"))
    else:
        assert shown == real


def test_every_target_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = set(re.findall(r"^\.PHONY: (\S+)", makefile, flags=re.MULTILINE))
    assert declared - {"rust-components"} == make_targets()  # a step of others, not a command


@pytest.mark.parametrize("path", files_ending(".md"), ids=label)
def test_links_between_documents_lead_somewhere(path: object) -> None:
    document = ROOT / str(path)
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        file = target.partition("#")[0]
        if file and "://" not in file:
            assert (document.parent / file).exists(), f"{label(document)} links to {target}"


def test_threat_model_names_checks_of_the_specification() -> None:
    receipt = (ROOT / "spec" / "v1" / "receipt.md").read_text(encoding="utf-8")
    steps = receipt.partition("## 8. Verification")[2]
    checks = set(re.findall(r"^\d+\. \*\*(\w+)\*\*", steps, flags=re.MULTILINE))
    assert len(checks) > 10
    threats = (ROOT / "spec" / "threat-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \|.*\|([^|]+)\|$", threats, flags=re.MULTILINE)
    assert rows
    before = {"loading", "before check 1", "compile time", "key loading"}
    named = {name.strip() for row in rows for name in row.split(",")}
    assert named - before <= checks


def test_files_that_error_messages_point_to_exist() -> None:
    missing = [
        f"{label(path)}: {target}"
        for path in files_ending(".py", ".rs")
        if not label(path).startswith("tests/")
        for target in re.findall(
            r"\b((?:docs|spec|requirements|vectors)/[\w./-]+\.(?:md|txt))",
            path.read_text(encoding="utf-8"),
        )
        if not (ROOT / target).exists()
    ]
    assert not missing, "\n".join(sorted(missing))


def test_every_decision_is_listed() -> None:
    folder = ROOT / "spec" / "decisions"
    pages = {path.name for path in folder.glob("[0-9]*.md")} - {"0000-template.md"}
    index = (folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+)\)", index, flags=re.MULTILINE)
    assert {file for _, file in rows} == pages
    assert all(file.startswith(f"{number}-") for number, file in rows)


def text_files() -> list[tuple[str, str]]:
    """Return (label, content) of every text file but this one, which names what it refuses."""
    here = "tests/test_documents.py"
    chosen = [path for path in tree_files() if path.suffix in TEXT and label(path) != here]
    return [(label(path), path.read_text(encoding="utf-8", errors="replace")) for path in chosen]


def test_only_public_hosts_are_named() -> None:
    wrong = {
        f"{name}: {host}"
        for name, text in text_files()
        for host in re.findall(r"https?://([A-Za-z0-9.-]+)", text)
        if host.lower() not in PUBLIC_HOSTS and not host.endswith(".example")
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_no_path_of_somebodys_machine_is_named() -> None:
    pattern = re.compile(r"(?<![\w./<>-])/(?:work|home|root|Users)/\w+")
    wrong = [f"{name}: {match}" for name, text in text_files() for match in pattern.findall(text)]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_unfinished() -> None:
    wrong = [
        f"{name}: {match.group()}"
        for name, text in text_files()
        if name.endswith((".js", ".mjs", ".py", ".pyi", ".rs", ".sh", "Makefile"))
        for match in UNFINISHED.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_called_what_no_test_can_show() -> None:
    wrong = [
        f"{name}: {match.group()}"
        for name, text in text_files()
        for match in BANNED_WORDS.finditer(text)
        if name != "LICENSE"
    ]
    assert not wrong, "\n".join(wrong)
