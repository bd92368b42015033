"""How a call is closed: its record, its charge, and the units that it held given back; once, however it ends."""

import time
from typing import Final, final

from trunkline.errors import AuditUnavailable, CallError, Draining, InternalError
from trunkline.gateway import settlement
from trunkline.gateway.admission import Admission
from trunkline.gateway.call import Call
from trunkline.gateway.journal import Journal
from trunkline.model.records import CallClosed, Outcome, Timings
from trunkline.operations import OperationalLog

CLIENT_LEFT: Final = 499  # nginx's status for a client that closed the connection: nobody receives it


@final
class Settling:
    """Closes calls in the log; one per worker. `cutting` is set when the time of a drain is up."""

    __slots__ = ("_admission", "_journal", "_operations", "cutting")

    def __init__(self, journal: Journal, admission: Admission, operations: OperationalLog) -> None:
        self._journal, self._admission, self._operations = journal, admission, operations
        self.cutting = False

    def settle(self, call: Call, outcome: Outcome, status: int, timings: Timings, error: CallError | None) -> int:
        """Close the call in the log, once; there is nothing to await, so nothing can cut it short."""
        record = settlement.closed_record(call, outcome, status, timings, error)
        position = self._append_closed(call, record)
        call.settled = True  # only now: a log that did not take it may take it at the call's very end
        self._admission.settle(call)  # with the record, so that what is restored from the log is neither less nor twice
        self._operations.call_line(record, call)
        return position

    def _append_closed(self, call: Call, record: CallClosed) -> int:
        """Append the closed record; where it is the bodies that cannot be written, without those."""
        try:
            return self._journal.closed(call, record)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the call has to be closed
            self._say_unrecorded(call, fault)
            return self._journal.closed_bare(call, record)

    def keep(self, call: Call) -> None:
        """Log what a running stream brought; raises nothing but AuditUnavailable, for a timer calls it."""
        try:
            self._journal.keep(call)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001
            self._say_unrecorded(call, fault)
            raise AuditUnavailable("The call cannot be recorded any further.") from None

    async def keep_large(self, call: Call) -> None:
        """Log large bodies without holding up others; where it is the bodies that cannot be written, go on without."""
        try:
            await self._journal.keep_large(call)
        except AuditUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001
            self._say_unrecorded(call, fault)

    def _say_unrecorded(self, call: Call, fault: Exception) -> None:
        self._operations.event("error", "bodies_unrecorded", call=call.id, kind=type(fault).__name__)

    def cut_short(self, call: Call) -> None:
        """Close a call that was cancelled; a client that leaves is nobody's failure, a drain that ends is ours."""
        if call.settled:
            return
        if self.cutting:
            error = Draining("The gateway shut down before the call had ended.")
            self._settle_partial(call, "failed", 200 if call.first_byte_ns else error.status, error)
            return
        call.left_ns = time.monotonic_ns()
        outcome: Outcome = "cancelled_after" if call.first_byte_ns else "cancelled_before"
        self._settle_partial(call, outcome, CLIENT_LEFT, None)

    def _settle_partial(self, call: Call, outcome: Outcome, status: int, error: CallError | None) -> None:
        """Close a call that nobody waits for any more, charged for what came; without a log it stays open in there."""
        now = time.monotonic_ns()
        settlement.charge(call, now)
        try:
            self.settle(call, outcome, status, settlement.timings_of(call, now), error)
        except AuditUnavailable:
            self._operations.event("error", "call_unrecorded", call=call.id)

    def close_broken(self, call: Call) -> None:
        """Close a call that a fault of ours is about to end: whatever happens, an opened record gets its closed one."""
        error = call.unrecorded or InternalError("A fault of the gateway ended this call.")
        self._settle_partial(call, "failed", error.status, error)
