"""Who asks, and what they may do: the same answer in every service (README.md)."""

from kernel.authority.border import PERMISSION_DENIED, TEAM_NOT_FOUND, Border, allowed, require, require_platform
from kernel.authority.owners import Owners
from kernel.authority.permissions import Decision, Permission, Resource, Role, decide
from kernel.authority.principal import Kind, Principal, acting_as, become, current, platform

__all__ = [
    "PERMISSION_DENIED",
    "TEAM_NOT_FOUND",
    "Border",
    "Decision",
    "Kind",
    "Owners",
    "Permission",
    "Principal",
    "Resource",
    "Role",
    "acting_as",
    "allowed",
    "become",
    "current",
    "decide",
    "platform",
    "require",
    "require_platform",
]
