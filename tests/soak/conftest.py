import sys
from pathlib import Path

# The real gateway that the command's tests run is what is run here for longer; and so are the logs of the log's tests.
TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "cli"), str(TESTS)]
