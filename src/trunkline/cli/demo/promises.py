"""What the demo promises: one that shows something else than it says fails."""


class DemoFailed(Exception):
    """Something that the demo promised did not happen."""


def expect(condition: object, promise: str) -> None:
    """Raise DemoFailed unless the promise was kept."""
    if not condition:
        raise DemoFailed(f"This did not happen: {promise}.")
