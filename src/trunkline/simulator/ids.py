"""Ids in the form of a provider's, the same ones in every run."""

from hashlib import blake2b

_COUNTED = 8


class Ids:
    """Makes ids that are unique within one simulated provider."""

    def __init__(self, seed: str) -> None:
        self._base = blake2b(seed.encode(), digest_size=32).hexdigest()
        self._made = 0

    def fresh(self, prefix: str, length: int) -> str:
        """Return `prefix` and `length` more characters."""
        self._made += 1
        return f"{prefix}{self._base[: length - _COUNTED]}{self._made:0{_COUNTED}x}"
