import sys
from pathlib import Path

# The logs of the log's tests are what control follows and signs here.
sys.path.insert(0, str(Path(__file__).parent.parent))
