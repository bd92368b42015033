"""Asking the control process over its socket."""

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from trunkline.channel.messages import LimitsQuestion
from trunkline.cli.failure import ConfigurationFailed, Failed, Misused
from trunkline.cli.ledger_client import LiveLedger
from trunkline.control.answers import (
    Applied,
    Erase,
    Erasure,
    ImportedCosts,
    ImportedUsers,
    KeyView,
    LimitsInUse,
    MadeKey,
    NewCosts,
    NewKey,
    NewUsers,
    ProposedGuardrails,
    Rotated,
    Simulate,
    UserList,
    UserQuery,
)
from trunkline.control.sockets import SOCKET_NAME
from trunkline.ledger.limit_answers import (
    SimulationFailed,
    SimulationQuestion,
    SimulationReport,
    SimulationStep,
    SimulationWord,
)

# A change waits for the log and for every worker; a control process that has just started imports first.
ANSWER_WITHIN = 60.0
# Requests that change something, perhaps also where their answer does not come.
CHANGING = (
    "/api/apply",
    "/api/keys",
    "/api/users",
    "/api/costs/import",
    "/api/index/forget",
    "/api/audit/erase",
    "/api/audit/keys",
)
MAX_ANSWER = 64 * 1024 * 1024


class NobodyAnswers(Exception):
    """There is no control process at the other end of the socket."""


class Live:
    """A running gateway, asked over `data_dir/control.sock`."""

    running = True

    def __init__(self, data_dir: Path, config: str) -> None:
        self._data_dir, self._config = data_dir, config
        self.ledger = LiveLedger(self._ask, self._words)

    def status(self) -> dict[str, Any]:
        """Return what control knows of the processes. Raises NobodyAnswers."""
        return dict(self._ask("GET", "/api/status"))

    def apply(self) -> Applied:
        """Put the file in force. Raises ConfigurationFailed, Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/apply", {"config": str(Path(self._config).resolve())}), Applied)

    def keys(self) -> list[KeyView]:
        """Return every key. Raises Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("GET", "/api/keys")["keys"], list[KeyView])

    def create_key(self, asked: NewKey) -> MadeKey:
        """Make a key. Raises Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/keys", msgspec.to_builtins(asked)), MadeKey)

    def revoke_key(self, key_id: str) -> KeyView:
        """Stop a key. Raises Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("DELETE", f"/api/keys/{quote(key_id, safe='')}")["key"], KeyView)

    def import_users(self, asked: NewUsers) -> ImportedUsers:
        """Replace a tenant's directory. Raises ConfigurationFailed, Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/users", msgspec.to_builtins(asked)), ImportedUsers)

    def import_costs(self, asked: NewCosts) -> ImportedCosts:
        """Add costs. Raises ConfigurationFailed, Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/costs/import", msgspec.to_builtins(asked)), ImportedCosts)

    def users(self, query: UserQuery) -> UserList:
        """Return rows of the directories. Raises Failed or NobodyAnswers."""
        asked = {name: value for name, value in msgspec.to_builtins(query).items() if value is not None}
        return msgspec.convert(self._ask("GET", f"/api/users?{urlencode(asked)}"), UserList)

    def limits(self, asked: LimitsQuestion) -> LimitsInUse:
        """Return how limits and budgets are used. Raises Failed or NobodyAnswers."""
        words = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None}
        return msgspec.convert(self._ask("GET", f"/api/limits?{urlencode(words)}"), LimitsInUse)

    def simulate(self, asked: SimulationQuestion, on_step: Callable[[SimulationStep], None]) -> SimulationReport:
        """Return what the limits of the file would have done to past calls.

        Raises ConfigurationFailed, Misused, Failed or NobodyAnswers.
        """
        question = Simulate(asked, str(Path(self._config).resolve()))
        for word in self._words("/api/limits/simulate", question, SimulationWord):
            match word:
                case SimulationReport() as report:
                    return report
                case SimulationStep() as step:
                    on_step(step)
                case SimulationFailed(reason):
                    raise Failed(reason)
        raise Failed("control ended before it had answered: try again")

    def erase(self, asked: Erase) -> Erasure:
        """Destroy the keys and names of a person. Raises Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/audit/erase", msgspec.to_builtins(asked)), Erasure)

    def rotate_vault(self) -> Rotated:
        """Change the key-encryption key of the vault. Raises ConfigurationFailed, Failed or NobodyAnswers."""
        return msgspec.convert(self._ask("POST", "/api/audit/keys/rotate"), Rotated)

    def guardrails(self) -> ProposedGuardrails:
        """Return the policies of the file. Raises ConfigurationFailed, Failed or NobodyAnswers."""
        asked = {"config": str(Path(self._config).resolve())}
        return msgspec.convert(self._ask("POST", "/api/guardrails", asked), ProposedGuardrails)

    def _words(self, path: str, question: msgspec.Struct, shape: Any) -> Iterator[Any]:
        """Yield the lines of an answer, each as what it has to be."""
        with self._answered("POST", path, msgspec.to_builtins(question)) as response:
            while line := response.readline(MAX_ANSWER):
                yield msgspec.json.decode(line, type=shape)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        with self._answered(method, path, body) as response:
            return msgspec.json.decode(response.read(MAX_ANSWER))

    @contextmanager
    def _answered(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        """Make a request; what goes wrong within the context is a failure of control's to answer."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"host": "control", "content-type": "application/json"}
        connection = _Connection(self._data_dir)
        try:
            connection.connect()
        except OSError as error:
            raise NobodyAnswers from error
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _failure(msgspec.json.decode(response.read(MAX_ANSWER)), response.status)
            yield response
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            what = "it took too long" if isinstance(error, TimeoutError) else "it ended before it had answered"
            changing = method != "GET" and path.startswith(CHANGING)
            done = "; whether it was done, `trunkline keys list` shows" if changing else ": try again"
            raise Failed(f"control did not answer: {what}{done}") from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, data_dir: Path) -> None:
        super().__init__("control", timeout=ANSWER_WITHIN)
        self._data_dir = data_dir

    def connect(self) -> None:
        """Connect through the directory's descriptor, for a socket's path may have only 107 bytes."""
        directory = os.open(self._data_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
        except OSError:
            self.close()
            raise
        finally:
            os.close(directory)


def _failure(answer: Any, status: int) -> Failed:
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    message = str(error.get("message", "control refused"))
    problems = [str(problem) for problem in error.get("problems", ())]
    if problems:
        return ConfigurationFailed(message, problems)
    return Misused(message) if status == 422 else Failed(message)
