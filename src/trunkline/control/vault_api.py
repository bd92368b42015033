"""The part of the admin API that changes the vault.

POST /api/audit/erase        Erase     -> Erasure
POST /api/audit/keys/rotate            -> Rotated
"""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from trunkline.control.answers import Erase, Refused
from trunkline.control.evidence_api import Answer
from trunkline.control.registry import Registry
from trunkline.control.vault_desk import VaultDesk


def add_vault(
    app: FastAPI,
    registry: Registry,
    who: Callable[[Request], str],
    answer: Answer,
    asked: Callable[[Request, type[Any]], Any],
) -> None:
    """Add the requests; `answer` makes a response, `asked` reads a body."""

    @app.post("/api/audit/erase")
    async def erase(request: Request) -> Response:
        return answer(await _desk(registry).erase(await asked(request, Erase), who(request)))

    @app.post("/api/audit/keys/rotate")
    async def rotate(request: Request) -> Response:
        return answer(await _desk(registry).rotate(who(request)))


def _desk(registry: Registry) -> VaultDesk:
    if registry.vault is None:
        raise Refused("control is still starting: try again")
    return registry.vault
