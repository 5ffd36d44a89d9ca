"""Protects the READMEs: what they link to is there, headings included."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """All of ours; packages that are installed below the root have their own."""
    folders = ("agents", "gin", "ops", "pipelines", "results", "tests", "tools")
    return sorted([*ROOT.glob("*.md"), *(p for f in folders for p in (ROOT / f).rglob("*.md"))])


def anchors(path: Path) -> set[str]:
    """Names of a file's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    assert ROOT / "README.md" in pages()
    broken = []
    for page in pages():
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for link in _LINK.findall(text):
            target, _, anchor = link.partition("#")
            if "://" in target:
                continue
            place = page.parent / target if target else page
            if not place.exists() or (anchor and anchor not in anchors(place)):
                broken.append((str(page.relative_to(ROOT)), link))
    assert broken == []
