"""Files that a command is given to read."""

import typer


def text_of(file: str) -> str:
    """Return the text of a file. Raises BadParameter."""
    from trunkline.config.sources import Unreadable  # noqa: PLC0415
    from trunkline.control.machine import read_file  # noqa: PLC0415

    try:
        return read_file(file)
    except (Unreadable, ValueError) as error:
        why = str(error) if isinstance(error, Unreadable) else "is no path"
        raise typer.BadParameter(f"the file {file} {why}.", param_hint="FILE") from None
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.", param_hint="FILE") from None
