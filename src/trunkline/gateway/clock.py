"""The two clocks of a worker, read together."""

import time

from trunkline.policy.limits.moment import Moment


def moment() -> Moment:
    """Return this moment."""
    return Moment(time.monotonic(), time.time())
