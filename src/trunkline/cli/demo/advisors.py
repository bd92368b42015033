"""Who calls in the demo: three advisors of two teams, and what each call says of them."""

from dataclasses import dataclass

SUBJECT = "henderson"


@dataclass(frozen=True)
class Advisor:
    """A user of the tenant, as the directory has them."""

    user: str
    name: str
    team: str
    cost_center: str

    @property
    def first_name(self) -> str:
        """What colleagues call them."""
        return self.name.partition(" ")[0]

    def headers(self, occasion: str) -> dict[str, str]:
        """Return what the application says of a call in headers; the occasion names the conversation."""
        return {
            "x-trunkline-user": self.user,
            "x-trunkline-subject": SUBJECT,
            "x-trunkline-session": self.session(occasion),
        }

    def session(self, occasion: str) -> str:
        """Return the name of a conversation of theirs."""
        return f"{occasion}-{self.user}"


ANN = Advisor("ann", "Ann Lee", "wealth", "CC-40")
BO = Advisor("bo", "Bo Okafor", "wealth", "CC-40")
CLEO = Advisor("cleo", "Cleo Marsh", "trusts", "CC-52")
ADVISORS = (ANN, BO, CLEO)


def directory_file() -> str:
    """Return the tenant's directory of users as CSV."""
    rows = [f"{who.user},{who.name},{who.team},{who.cost_center}" for who in ADVISORS]
    return "\n".join(["user,name,team,cost_center", *rows]) + "\n"
