from pathlib import Path

import pytest

from stack.cli.client.env import _of_file
from stack.cli.client.failures import Exit, Failure


def test_an_env_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# c\n\nexport A=1\nB=\"two words\"\nC='x=y'\n D = spaced \nE=\n")
    assert _of_file(file) == {"A": "1", "B": "two words", "C": "x=y", "D": "spaced", "E": ""}


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(Failure, match=":2 is not NAME=VALUE") as caught:
        _of_file(file)
    assert caught.value.status is Exit.USAGE
