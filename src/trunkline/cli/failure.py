"""What ends a command without success."""

from collections.abc import Sequence

from trunkline.config.problems import ConfigInvalid


class Failed(Exception):
    """The command did not do what was asked; the message is one line that says why and what to do."""

    status = 1


class Misused(Failed):
    """What was asked for makes no sense: a call id that is none, SQL that is none."""

    status = 64  # EX_USAGE


class ConfigurationFailed(Failed):
    """The configuration is not good; `problems` has a line for each mistake."""

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def failed_by(invalid: ConfigInvalid) -> ConfigurationFailed:
    """Return the failure that a bad configuration is."""
    problems = [str(problem) for problem in invalid.problems]
    return ConfigurationFailed("the configuration is not good; mend what is named above", problems)
