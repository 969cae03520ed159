from pathlib import Path

import pytest

from stack.cli.client import link
from stack.cli.client.failures import Exit, Failure


def test_a_named_project_goes_before_the_link(tmp_path: Path) -> None:
    link.remember("blog", tmp_path)
    assert (link.project(None, tmp_path), link.project("shop", tmp_path)) == ("blog", "shop")


def test_without_either_the_next_step_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        link.project(None, tmp_path)
    assert (caught.value.code, caught.value.status) == ("NOT_LINKED", Exit.USAGE)
    assert "shipoff link" in caught.value.hint


@pytest.mark.parametrize("text", ["project = 1", "nonsense", "project = '../../etc'", "other = 'x'"])
def test_a_broken_link_is_an_error_and_never_a_guess(tmp_path: Path, text: str) -> None:
    (tmp_path / link.FILE).write_text(text)
    with pytest.raises(Failure, match="LINK_INVALID"):
        link.project(None, tmp_path)
