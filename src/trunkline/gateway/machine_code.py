"""Whether the path of a call runs as machine code, or is interpreted: the answer is of this module, which is on it."""


def compiled() -> bool:
    """Return whether this process runs what mypyc and a C compiler have made of the path of a call."""
    return not __file__.endswith(".py")
