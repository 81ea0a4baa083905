"""The page in Chromium, from disk and from a gateway, without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from attacks.scene import QUESTION
from tests.acceptance import RecordCriterion
from tests.page import scenes
from tests.page.browser import AXE, DESKTOP, PAGE, PHONE, NoBrowserError, Reader, reader, started
from tests.page.scenes import Held
from tests.repository import ROOT
from tests.serving import EXAMPLE, Served, served
from veridical.cli.samples import save_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1800)]

PICTURES: Final = ROOT / "out" / "page"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with started() as running:
            yield running
    except NoBrowserError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    folder = tmp_path_factory.mktemp("scenes")
    all_held = [
        *scenes.genuine(folder),
        *map(scenes.forged, scenes.SENTENCES),
        scenes.forged_proof(),
        scenes.forged_log(folder / "forged"),
    ]
    return {one.name: one for one in all_held}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("state") / "state", EXAMPLE) as running:
        yield running


def judge(window: Reader, one: Held, folder: Path) -> None:
    """Hand everything over, and read what the page says."""
    window.give(one.write(folder))
    verdict = window.verdict()
    sentence = window.text("#result .sentence")
    reason = window.page.text_content("#result .reason") or "" if verdict == "Rejected" else ""
    assert verdict == one.verdict, f"{one.name}: {verdict}, {sentence} {reason}"
    assert one.sentence in sentence, f"{one.name}: {sentence} {reason}"
    if one.marks is not None:
        assert window.marks() == one.marks, one.name
    if verdict != "Accepted":
        assert not {"shown", "partly"} & set(window.marks()), one.name
    assert window.trouble == [], one.name


def test_genuine_receipts_and_forgeries_from_disk_and_served(
    browser: Browser,
    held: dict[str, Held],
    gateway: Served,
    tmp_path: Path,
    criterion: RecordCriterion,
) -> None:
    counts = {"Accepted": 0, "Rejected": 0, "Not decided": 0}
    for one in held.values():
        with reader(browser) as window:
            window.open(PAGE.as_uri())
            judge(window, one, tmp_path / "disk" / one.name)
        with reader(browser, is_offline=False, origin=gateway.url) as window:
            window.open(gateway.url)
            window.page.context.set_offline(True)
            judge(window, one, tmp_path / "served" / one.name)
        counts[one.verdict] += 1
    criterion(
        "page",
        required="genuine receipts of every tier accepted, 12 forgeries rejected with the right "
        "sentence, from disk and served, network off",
        measured=f"{counts['Accepted']} accepted, {counts['Rejected']} rejected, "
        f"{counts['Not decided']} undecided without its program, each both ways",
    )
    assert counts["Rejected"] >= 12


def test_the_page_says_what_the_python_verifier_says(
    browser: Browser, held: dict[str, Held], tmp_path: Path
) -> None:
    words = {"accepted": "Accepted", "rejected": "Rejected", "undecided": "Not decided"}
    for one in held.values():
        report = one.python_report()
        with reader(browser) as window:
            window.open(PAGE.as_uri())
            window.give(one.write(tmp_path / one.name))
            assert window.verdict() == words[report.verdict], one.name
            if report.error is not None and report.error.check is not None:
                expected = f"Check {report.error.check}: "
                assert window.text("#result .reason").startswith(expected), one.name
            rows = window.page.query_selector_all(".checks tbody tr")
            shown = [(row.get_attribute("class") or "").removeprefix("is-") for row in rows]
            assert shown == [check.status.value for check in report.checks], one.name


def test_the_record_of_a_model(browser: Browser, held: dict[str, Held], tmp_path: Path) -> None:
    with reader(browser) as window:
        window.open(PAGE.as_uri())
        window.give(held["logged"].write(tmp_path))
        window.verdict()
        window.page.wait_for_selector("#record:not([hidden])")
        record = window.text("#record")
        assert "Asked 4 times, answered once." in record
        assert "2 closed without an answer: deadline 2." in record
        assert "1 is neither answered nor closed." in record
        assert "Nothing in the whole log is missing" in record
        assert "This receipt is entry 1; it was announced by entry 0." in record
        assert "cosigned by witness.example/w1" in record
        assert window.trouble == []


POSTS: Final = ROOT / "vectors" / "post"


@pytest.mark.parametrize(
    ("post", "title"),
    [
        ("exact", "Unchanged"),
        ("excerpt", "Unchanged excerpt"),
        ("carried_edited_number", "Edited"),
        ("carried_homoglyph", "Edited"),
    ],
)
def test_a_published_text(browser: Browser, post: str, title: str, tmp_path: Path) -> None:
    files = [POSTS / "posts" / f"{post}.post.json", POSTS / "policy.toml", EXAMPLE]
    policy = (POSTS / "policy.toml").read_text(encoding="utf-8")
    for name in re.findall(r'"([^"]+\.pub)"', policy):
        copy = tmp_path / name.rpartition("/")[2]
        copy.write_bytes((POSTS / name).read_bytes())
        files.append(copy)
    with reader(browser) as window:
        window.open(PAGE.as_uri())
        window.give(files)
        window.page.wait_for_selector("#post:not([hidden]) .verdict-line")
        if title != "Edited":
            assert "say whether you accept them" in window.text("#post")
            window.page.get_by_role("button", name="I accept the words").click()
            window.page.wait_for_selector("#post .verdict-line.is-accepted")
        assert window.text("#post .verdict-line") == title
        if title == "Edited":
            assert window.page.query_selector("#post ins") is not None
            window.page.screenshot(path=PICTURES / f"post-{post}.png", full_page=True)
        assert window.trouble == []


def ask(gateway: Served) -> dict[str, Any]:
    """Ask the gateway's model, and return the answer's parameters."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [0.5, -0.25, 1.0]}
    answer = httpx.post(
        f"{gateway.url}/v2/models/{EXAMPLE.stem}/infer",
        json={"inputs": [tensor], "parameters": {"nonce": "order-4711"}},
    )
    parameters: dict[str, Any] = answer.raise_for_status().json()["parameters"]
    return parameters


def test_a_permalink_of_a_gateway(browser: Browser, gateway: Served, tmp_path: Path) -> None:
    receipt_id = ask(gateway)["receipt_id"]
    question = tmp_path / "question.npz"
    save_arrays(question, QUESTION)
    with reader(browser, is_offline=False, origin=gateway.url) as window:
        window.open(f"{gateway.url}/r/{receipt_id}")
        assert window.verdict() == "Not checked yet"
        window.page.context.set_offline(True)
        window.page.get_by_label("I accept signatures by this key").check()
        window.give([EXAMPLE, question])
        window.page.wait_for_selector(".verdict.is-accepted")
        assert receipt_id in window.text("#result").replace("\n", "")
        assert window.trouble == []


def test_a_dashboard_of_a_gateway(browser: Browser, gateway: Served) -> None:
    ask(gateway)
    for name, size, scheme in (("dashboard", DESKTOP, "light"), ("dashboard-dark", PHONE, "dark")):
        with reader(
            browser, size=size, scheme=scheme, is_offline=False, origin=gateway.url
        ) as window:
            window.open(f"{gateway.url}/dashboard")
            window.page.wait_for_selector("#figures table")
            assert window.text("#health") == "Ready."
            assert EXAMPLE.stem in window.text("#models")
            assert "Entries" in window.text("#log")
            assert window.accessibility() == []
            assert window.trouble == []
            window.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def test_pictures_and_accessibility(
    browser: Browser, held: dict[str, Held], tmp_path: Path, criterion: RecordCriterion
) -> None:
    assert AXE.exists(), "make test-page fetches axe-core"
    objections: list[str] = []
    views = 0
    for scheme in ("light", "dark"):
        for place, size in (("desktop", DESKTOP), ("phone", PHONE)):
            for name in ("", "reexecution", "logged", "signed_ed25519", "signed_lie"):
                with reader(browser, size=size, scheme=scheme) as window:
                    window.open(PAGE.as_uri())
                    if name:
                        window.give(held[name].write(tmp_path / name))
                        window.verdict()
                        window.page.wait_for_timeout(300)  # link and record follow
                    picture = PICTURES / f"{name or 'empty'}-{place}-{scheme}.png"
                    window.page.screenshot(path=picture, full_page=True)
                    if name:
                        window.page.click(".checks summary")
                    views += 1
                    objections += [f"{picture.stem}: {one}" for one in window.accessibility()]
                    assert window.trouble == []
    criterion(
        "page, accessibility",
        required="axe-core objects to nothing, no console error, no external request",
        measured=f"{len(objections)} objections in {views} views of both schemes and sizes",
    )
    assert not objections, "\n".join(objections)


def test_the_page_prints(browser: Browser, held: dict[str, Held], tmp_path: Path) -> None:
    with reader(browser) as window:
        window.open(PAGE.as_uri())
        window.give(held["logged"].write(tmp_path))
        window.verdict()
        window.page.wait_for_timeout(300)
        PICTURES.mkdir(parents=True, exist_ok=True)
        paper = window.page.pdf(path=PICTURES / "page.pdf", format="A4")
        assert paper.count(b"/Type /Page\n") <= 3
        window.page.emulate_media(media="print")
        assert not window.page.is_visible("#drop")
        assert window.page.is_visible("#result .verdict")
