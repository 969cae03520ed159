"""The catalogue of presets, and the page that shows it."""

from pathlib import Path

from kernel.frameworks import BY_ID, CATALOG, table

PAGE = Path(__file__).parents[3] / "docs" / "frameworks.md"


def test_the_page_has_the_catalogue() -> None:
    page = PAGE.read_text()
    for kind in ("static", "dynamic"):
        assert table(kind) in page


def test_ids_are_words_that_stay_and_every_preset_can_be_served() -> None:
    assert len(BY_ID) == len(CATALOG)
    for one in CATALOG:
        assert one.id == one.id.lower()
        assert "|" not in one.detection + one.needs, "it stands in a table"
        assert not (one.kind == "static" and one.run)
        assert one.kind == "static" or one.run or one.id in ("custom", "procfile")
