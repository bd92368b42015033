"""Trunkline: an LLM gateway that answers who spent what, when, doing what, with what outcome.

`gateway` carries the calls, `audit` records them, `control` keeps the state, `config` says what is to happen;
`docs/architecture.md` tells how they fit together.
"""

__version__ = "0.1.0"
