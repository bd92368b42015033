"""What each role may do over the admin API: two tables, and nothing else decides. Pure.

Every request needs one right, every role has some. A request that is not in the table needs more than anybody has.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from trunkline.model.operators import Role


class Right(Enum):
    """What a request needs."""

    RECORDS = "see what is on record of calls, keys and users, but nothing that was said in a call"
    CONTENT = "see what was said in calls: texts, transcripts, answers, exports"
    REVIEW = "choose calls for review, take them, decide on them"
    HOLD = "place and release legal holds"
    ERASE = "erase persons, change the key that keys are wrapped with"
    OPERATE = "see metrics and limits; change keys, users, costs, configuration and index; delete what has expired"


MAY: Mapping[Role, frozenset[Right]] = {
    "examiner": frozenset({Right.RECORDS, Right.CONTENT}),
    "supervisor": frozenset({Right.RECORDS, Right.CONTENT, Right.REVIEW, Right.HOLD}),
    "operator": frozenset({Right.RECORDS, Right.OPERATE}),
    "admin": frozenset(Right),
}

# A story shows what was said only with `bodies=yes`, which needs CONTENT: `evidence_api` asks for that.
NEEDED: Mapping[str, Right] = {
    "GET /metrics": Right.OPERATE,
    "GET /api/status": Right.RECORDS,
    "POST /api/apply": Right.OPERATE,
    "POST /api/guardrails": Right.OPERATE,
    "GET /api/keys": Right.RECORDS,
    "POST /api/keys": Right.OPERATE,
    "DELETE /api/keys/{key_id:path}": Right.OPERATE,
    "GET /api/users": Right.RECORDS,
    "POST /api/users": Right.OPERATE,
    "POST /api/costs/import": Right.OPERATE,
    "GET /api/limits": Right.OPERATE,
    "POST /api/limits/simulate": Right.OPERATE,
    "GET /api/calls": Right.RECORDS,
    "GET /api/calls/{call_id:path}": Right.RECORDS,
    "POST /api/calls/places": Right.CONTENT,
    "GET /api/sessions": Right.RECORDS,
    "GET /api/sessions/{session:path}": Right.CONTENT,
    "POST /api/replay": Right.CONTENT,
    "POST /api/audit/export": Right.CONTENT,
    "GET /api/audit/reads": Right.RECORDS,
    "GET /api/review": Right.RECORDS,
    "GET /api/review/samples": Right.RECORDS,
    "POST /api/review/report": Right.RECORDS,
    "GET /api/review/notes/{call_id:path}": Right.CONTENT,
    "POST /api/review/sample": Right.REVIEW,
    "POST /api/review/next": Right.REVIEW,
    "POST /api/review/decide": Right.REVIEW,
    "GET /api/holds": Right.RECORDS,
    "POST /api/holds": Right.HOLD,
    "POST /api/holds/{hold}/release": Right.HOLD,
    "POST /api/retention": Right.OPERATE,
    "POST /api/audit/erase": Right.ERASE,
    "POST /api/audit/keys/rotate": Right.ERASE,
    "POST /api/sql": Right.RECORDS,
    "POST /api/costs": Right.RECORDS,
    "POST /api/costs/paid": Right.RECORDS,
    "GET /api/index": Right.RECORDS,
    "POST /api/index": Right.OPERATE,
    "POST /api/index/forget": Right.OPERATE,
}


class Caller(msgspec.Struct, frozen=True):
    """Who asks: `who` as records name it; `role` None for an account of this machine, which the socket's mode let in.

    Whoever may open the socket may read the files of the data directory, so it may do everything.
    """

    who: str
    role: Role | None

    def may(self, right: Right | None) -> bool:
        """Whether the caller has a right; None is one that nobody has."""
        return right is not None and (self.role is None or right in MAY[self.role])


def holders(right: Right) -> list[Role]:
    """Return the roles that have a right."""
    return [role for role, rights in MAY.items() if right in rights]
