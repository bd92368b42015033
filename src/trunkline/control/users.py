"""The people of this machine, as records name them."""

import pwd


def user_name(uid: int) -> str:
    """Return a user of this machine as records name it."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
