"""Who may ask the admin API on the console's port: named operators, each with one role."""

from typing import Literal

import msgspec

Role = Literal["examiner", "supervisor", "operator", "admin"]
ROLES: tuple[Role, ...] = ("examiner", "supervisor", "operator", "admin")
# The name in records of whoever shows `console.admin_token`.
ADMIN = "admin"


class Operator(msgspec.Struct, frozen=True):
    """A person, or a program, with a token of its own."""

    name: str
    role: Role

    @property
    def who(self) -> str:
        """How records name it; an account of the machine is named otherwise (`mara (uid 1004)`)."""
        return f"{self.name} ({self.role})"
