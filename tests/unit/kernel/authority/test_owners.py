"""Services that keep something of a project ask whose it is, and remember it for a while."""

import pytest

from kernel.authority import Kind, Owners, Permission, Principal, Role, acting_as, platform
from kernel.authority.principal import NOBODY
from kernel.errors import NOT_FOUND, ShipoffError

VIEWER = Principal(Kind.SESSION, "acc_1", teams={"tem_1": Role.VIEWER})


class Projects:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def team_of(self, project_id: str) -> str:
        self.asked.append(project_id)
        if project_id == "prj_gone":
            raise NOT_FOUND("no such project")
        return "tem_1" if project_id == "prj_1" else "tem_2"


async def refusal(owners: Owners, who: Principal, permission: Permission, project_id: str) -> str:
    with acting_as(who):
        try:
            await owners.require(permission, project_id)
        except ShipoffError as error:
            return error.code
    return ""


@pytest.mark.parametrize(
    ("who", "permission", "project", "code"),
    [
        (VIEWER, Permission.LOGS_READ, "prj_1", ""),
        (VIEWER, Permission.DEPLOYMENT_UPDATE, "prj_1", "PERMISSION_DENIED"),
        (VIEWER, Permission.LOGS_READ, "prj_2", "NO_SUCH_PROJECT"),
        (VIEWER, Permission.LOGS_READ, "", "PERMISSION_DENIED"),
        (VIEWER, Permission.LOGS_READ, "prj_gone", "NOT_FOUND"),
        (NOBODY, Permission.LOGS_READ, "prj_1", "NO_SUCH_PROJECT"),
        (platform("test"), Permission.LOGS_READ, "", ""),
        (platform("test"), Permission.DEPLOYMENT_UPDATE, "prj_2", ""),
    ],
)
async def test_the_callers_role_decides(who: Principal, permission: Permission, project: str, code: str) -> None:
    assert await refusal(Owners(Projects().team_of), who, permission, project) == code


async def test_it_asks_once_a_while_and_never_for_the_platform() -> None:
    projects = Projects()
    owners = Owners(projects.team_of)
    for _ in range(3):
        await refusal(owners, VIEWER, Permission.LOGS_READ, "prj_1")
        await refusal(owners, platform("test"), Permission.LOGS_READ, "prj_2")
    assert projects.asked == ["prj_1"]
