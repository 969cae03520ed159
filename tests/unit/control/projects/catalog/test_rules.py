import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.projects.catalog.rules import BuildSettings, check_build, check_name, is_inside
from kernel.errors import ShipoffError


@pytest.mark.parametrize("name", ["a", "a1", "my-app", "x" * 40, "0"])
def test_labels_name_projects(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "x" * 41, "ä", "xn--abc", "a\n", "prj_1"])
def test_what_is_no_label_names_none(name: str) -> None:
    with pytest.raises(ShipoffError, match="PROJECT_NAME_INVALID"):
        check_name(name)


@pytest.mark.parametrize("name", ["www", "api", "git", "localhost", "shipoff"])
def test_the_platforms_own_hosts_are_reserved(name: str) -> None:
    with pytest.raises(ShipoffError, match="PROJECT_NAME_RESERVED"):
        check_name(name)


@given(st.text(max_size=60))
def test_whatever_passes_is_a_host_label(name: str) -> None:
    try:
        check_name(name)
    except ShipoffError:
        return
    assert 1 <= len(name) <= 40
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize("path", ["", ".", "apps/web", "./dist", "a..b", "a b"])
def test_paths_inside(path: str) -> None:
    assert is_inside(path)


@pytest.mark.parametrize(
    "path", ["/", "/etc", "..", "a/../..", "a/..", ".git", "x/.git/hooks", "a\\b", "a\0b", "x" * 300]
)
def test_paths_that_lead_out_or_are_none(path: str) -> None:
    assert not is_inside(path)


@pytest.mark.parametrize("branch", ["main", "release/1.0", "feature-x", "ünï", "a@b"])
def test_branch_names(branch: str) -> None:
    check_build(BuildSettings(), branch)


@pytest.mark.parametrize(
    "branch",
    ["", "@", "HEAD", "-x", ".x", "a..b", "a b", "a~1", "a^", "a:b", "x.lock", "a/", "/a", "a//b", "a@{1}", "a."],
)
def test_what_is_no_branch(branch: str) -> None:
    with pytest.raises(ShipoffError, match="production_branch"):
        check_build(BuildSettings(), branch)


def test_every_fault_of_the_settings_is_named() -> None:
    wrong = BuildSettings(
        framework="No Such",
        root_dir="..",
        build_command="a\0b",
        output_dir="/x",
        health_path="up",
        run_command="y" * 5000,
    )
    with pytest.raises(ShipoffError) as caught:
        check_build(wrong, "main")
    for field in ("framework", "root_dir", "build_command", "output_dir", "health_path", "run_command"):
        assert field in caught.value.detail
