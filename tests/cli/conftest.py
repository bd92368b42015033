import sys
from pathlib import Path

# The real Redis that the gateway's tests have is what two gateways count in here.
sys.path.insert(0, str(Path(__file__).parent.parent))
