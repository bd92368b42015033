"""Control lets calls go first, also where the kernel shares the processor by session."""

import subprocess
import sys
from pathlib import Path

import pytest

from trunkline.control.process import AUTOGROUP, NICENESS

BE_NICE = f"""
import os, pathlib
from trunkline.control.process import NICENESS, _be_nice
_be_nice(NICENESS)
print(os.nice(0), pathlib.Path("{AUTOGROUP}").read_text())
"""


@pytest.mark.skipif(not Path(AUTOGROUP).exists(), reason="the kernel does not group by session")
def test_its_session_is_as_nice_as_it_is():
    done = subprocess.run(
        [sys.executable, "-c", BE_NICE], start_new_session=True, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == str(NICENESS)
    assert done.stdout.strip().endswith(f"nice {NICENESS}")
