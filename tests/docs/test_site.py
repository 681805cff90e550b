"""The site's pages, links and figures, as far as they can be checked without building it."""

import logging
from pathlib import Path

import figures
import pytest
import result_tables
import site_hooks
import yaml

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "origin", "source", "expected"),
    [
        ("[a](../data/README.md)", "docs/data.md", "data.md", "[a](datasets.md)"),
        ("[a](../../data/README.md#x)", "docs/howto/a.md", "howto/a.md", "[a](../datasets.md#x)"),
        ("[a](metrics.md#y)", "docs/protocols.md", "protocols.md", "[a](metrics.md#y)"),
        ("[a](docs/metrics.md)", "CHANGELOG.md", "changelog.md", "[a](metrics.md)"),
        ("[x](../configs/pose.yaml)", "docs/data.md", "data.md", "x (`configs/pose.yaml`)"),
        ("[configs/pose.yaml](../configs/pose.yaml)", "docs/data.md", "data.md", "`configs/pose.yaml`"),
        ("![a](figures/hold.png)", "docs/mathematics.md", "mathematics.md", "![a](figures/hold.png)"),
        ("[a](https://example.org/x)", "docs/data.md", "data.md", "[a](https://example.org/x)"),
    ],
)
def test_links_are_as_the_site_needs_them(text, origin, source, expected) -> None:
    assert site_hooks.LINK.sub(lambda link: site_hooks.resolve(link, origin, source), text) == expected


def test_a_link_to_nothing_is_a_warning_which_a_strict_build_refuses(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        site_hooks.LINK.sub(lambda link: site_hooks.resolve(link, "docs/data.md", "data.md"), "[a](gone.md)")
    assert "docs/data.md links to gone.md, which does not exist" in caplog.text


def test_every_figure_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs/mathematics.md").read_text()
    for name in figures.FIGURES:
        assert f"(figures/{name}.png)" in page
        assert (ROOT / f"docs/figures/{name}.png").stat().st_size > 10_000


def test_figures_are_drawn_by_the_command(tmp_path, capsys) -> None:
    figures.main(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(figures.FIGURES)


def test_the_hold_is_that_of_the_continuous_system() -> None:
    """The figure's claim: both frame rates lie on scipy's solution of the held input."""
    (_, below) = figures.draw_hold().axes
    slow, fast, exact = (line.get_xydata() for line in below.lines)
    for points in (slow, fast):
        for time, value in points:
            # Inputs jump at the frames: just before, the output is the one of the interval that ends there.
            before = exact[exact[:, 0] <= time - 5e-4][-1]
            assert value == pytest.approx(before[1], abs=0.15)
    shared = {round(time, 6): value for time, value in fast}
    assert all(shared[round(time, 6)] == pytest.approx(value, abs=1e-4) for time, value in slow)


def test_tables_of_results_are_those_of_the_results() -> None:
    for path, section in result_tables.SECTIONS.items():
        assert section() in path.read_text(), f"run make tables: {path.name}"


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    site_hooks.on_config(config)  # results of one's own are no mistake
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages | {"datasets.md", "changelog.md"} == set(site_hooks.pages_of(config["nav"])) | {"index.md"}
