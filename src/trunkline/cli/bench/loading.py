"""Starts the load generator and reads what came of it."""

import subprocess
import sys

import msgspec

from trunkline.cli.bench.load import GRACE
from trunkline.cli.bench.places import on_cores
from trunkline.cli.bench.plan import LoadPlan, LoadResult
from trunkline.cli.failure import Failed

# Above the load generator's own limit: for its start, and for sorting what it has measured.
EXTRA_SECONDS = 30.0


def generate(plan: LoadPlan, core: int) -> LoadResult:
    """Carry out a plan on a core. Raises Failed if the load generator itself fails; failed calls are in the result."""
    limit = plan.limit + GRACE + EXTRA_SECONDS
    try:
        with on_cores(core):
            done = subprocess.run(
                [sys.executable, "-P", "-m", "trunkline.cli.bench.load"],
                # Not as an argument: the key in it is nobody else's business.
                input=msgspec.json.encode(plan),
                capture_output=True,
                timeout=limit,
                check=True,
                start_new_session=True,
            )
    except subprocess.TimeoutExpired:
        raise Failed(f"the load generator did not end within {limit:.0f} s") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise Failed(f"the load generator failed: {said[-1] if said else f'status {error.returncode}'}") from None
    return msgspec.json.decode(done.stdout, type=LoadResult)
