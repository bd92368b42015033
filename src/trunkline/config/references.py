"""`${NAME}` and `${file:PATH}` in values -> what they stand for. `$${` writes a plain `${`."""

import re
from dataclasses import replace

from trunkline.config.document import Mapping, Node, Scalar, Sequence, is_clean
from trunkline.config.places import Place, Problems
from trunkline.config.sources import Sources, Unreadable

REFERENCE = re.compile(r"\$?\$\{([^}]*)\}?")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
FILE = "file:"
MAX_FILE = 65_536


class _Missing(Exception):
    """A reference that stands for nothing; the arguments are the message and the fix."""


def resolve(place: Place, sources: Sources, problems: Problems) -> Node:
    """Return the node with every reference in its values resolved; one that cannot be is reported and unusable."""
    node = place.node
    if isinstance(node, Mapping):
        entries = [(key, resolve(Place(place.join(key.text), value), sources, problems)) for key, value in node.entries]
        return replace(node, entries=tuple(entries))
    if isinstance(node, Sequence):
        items = [resolve(Place(f"{place.path}[{i}]", item), sources, problems) for i, item in enumerate(node.items)]
        return replace(node, items=tuple(items))
    if "${" not in node.text:
        return node
    return _resolved(place, node, sources, problems)


def _resolved(place: Place, scalar: Scalar, sources: Sources, problems: Problems) -> Scalar:
    pieces: list[str] = []
    usable = True
    end = 0
    for match in REFERENCE.finditer(scalar.text):
        pieces.append(scalar.text[end : match.start()])
        end = match.end()
        if match[0].startswith("$$"):
            pieces.append(match[0][1:])
            continue
        try:
            pieces.append(_value(match, sources))
        except _Missing as missing:
            problems.add(place, *missing.args)
            usable = False
    pieces.append(scalar.text[end:])
    return replace(scalar, text="".join(pieces), plain=False, usable=usable and scalar.usable)


def _value(match: re.Match[str], sources: Sources) -> str:
    name = match[1]
    if not match[0].endswith("}"):
        raise _Missing("a reference is not closed", "write ${NAME} or ${file:PATH}, and $${ for a plain ${")
    value = _file(name.removeprefix(FILE), sources) if name.startswith(FILE) else _variable(name, sources)
    if not is_clean(value):
        raise _Missing(f"what ${{{name}}} stands for has control characters in it", "keep one line of text there")
    return value


def _variable(name: str, sources: Sources) -> str:
    if not NAME.fullmatch(name):
        raise _Missing("a reference names no variable", "write ${NAME} or ${file:PATH}, and $${ for a plain ${")
    value = sources.environment.get(name)
    if value is None:
        raise _Missing(f"the environment variable {name} is not set", f"set {name}, or use ${{file:PATH}}")
    if not value.strip():
        raise _Missing(f"the environment variable {name} is empty", f"set {name}, or use ${{file:PATH}}")
    return value


def _file(path: str, sources: Sources) -> str:
    try:
        value = sources.read_file(path)
    except FileNotFoundError:
        raise _Missing(f"there is no file {path}", "create it, or name another") from None
    except PermissionError:
        raise _Missing(f"the file {path} may not be read", "allow the user that runs trunkline to read it") from None
    except Unreadable as unreadable:
        raise _Missing(f"the file {path} {unreadable}", "name a text file with the value alone") from None
    except (OSError, ValueError):
        raise _Missing(f"the file {path} cannot be read as text", "name a text file in UTF-8") from None
    if len(value) > MAX_FILE:
        raise _Missing(f"the file {path} is larger than {MAX_FILE:,} characters", "name a file with the value alone")
    # Editors and `echo` end a file with a line feed that is no part of the secret.
    stripped = value.strip()
    if not stripped:
        raise _Missing(f"the file {path} is empty", "write the value into it")
    return stripped
