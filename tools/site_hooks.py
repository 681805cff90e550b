"""What the documentation site needs beyond docs/: pages from the repository's root, and links to files outside it.

Pages link to configs and to data/README.md as they lie in a checkout. On the site the latter, and the changelog, are
pages of their own; any other file outside docs/ is named without a link. A link to a file that does not exist is a
warning, which a strict build refuses.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

ROOT = Path(__file__).parents[1]
# Files of the repository that are pages of the site.
PAGES = {"data/README.md": "datasets.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)")
log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: Any) -> Any:
    """Add results that the navigation does not name, such as those of a `make eval-...` of one's own."""
    (results,) = (section["Results"] for section in config["nav"] if isinstance(section, dict) and "Results" in section)
    known = set(pages_of(results))
    for path in sorted((ROOT / "docs" / "results").glob("*.md")):
        if f"results/{path.name}" not in known:
            results.append({path.stem.replace("_", " "): f"results/{path.name}"})
    return config


def pages_of(entry: Any) -> Iterator[str]:
    """The pages that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from pages_of(inner)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside docs/."""
    from mkdocs.structure.files import File  # only a build of the site has it

    for path, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at the site's pages."""
    source = page.file.src_uri
    origin = {own: path for path, own in PAGES.items()}.get(source, f"docs/{source}")
    return LINK.sub(lambda link: resolve(link, origin, source), markdown)


def resolve(link: re.Match[str], origin: str, source: str) -> str:
    """A link of the file ``origin`` of the repository, as the site's page ``source`` has to say it."""
    text, target, anchor = link[1], link[2], link[3] or ""
    path = normpath(PurePosixPath(origin).parent / target)
    if not (ROOT / path).exists():
        log.warning("%s links to %s, which does not exist", origin, target)
        return link[0]
    if path in PAGES:
        page = PAGES[path]
    elif path.startswith("docs/"):
        page = path.removeprefix("docs/")
    else:
        return text if text.startswith("`") else f"`{path}`" if text == path else f"{text} (`{path}`)"
    return f"[{text}]({relpath(page, PurePosixPath(source).parent)}{anchor})"
