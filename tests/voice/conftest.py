"""The frameworks are installed for `make test-voice` only; elsewhere there is nothing here to collect."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("pipecat") else ["test_*.py"]
