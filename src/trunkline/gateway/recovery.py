"""Closing what an earlier life of this worker left open."""

import msgspec

from trunkline.audit.files.recovery import OpenCall
from trunkline.model.records import CallAbandoned, CallOpened, Cost


def abandoned_record(left: OpenCall) -> CallAbandoned:
    """Return the record that ends a call whose worker died: charged by the estimate that it was opened with.

    It names how much of the answer had durably come and gone; what was under way in the last second is not known.
    """
    opened = msgspec.json.decode(left.record, type=CallOpened)
    estimate = opened.estimate
    return CallAbandoned(
        call=opened.call,
        tenant=opened.tenant,
        outcome="abandoned",
        cost=Cost(
            estimate.cost,
            estimated=True,
            price_version=estimate.price_version,
            price_source=estimate.price_source,
        ),
        # A JSON answer leaves when its call is closed: what the log has of one had been made, and no more.
        released_bytes=left.bytes_of("response") if opened.stream else 0,
        received_bytes=left.bytes_of("provider_response"),
    )
