import sys
from pathlib import Path

# The real gateway that the command's tests run is what is run here for longer.
sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
