"""Builds the admin API on its listeners and serves it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trunkline.channel.messages import WorkerState
from trunkline.control.admission import asking
from trunkline.control.api import build
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.limits_desk import LimitsDesk
from trunkline.control.listeners import (
    Guarded,
    PeerProtocol,
    Reports,
    server,
)
from trunkline.control.registry import Registry
from trunkline.control.sockets import AdminSockets
from trunkline.operations import OperationalLog


async def serve_admin(
    registry: Registry,
    status: Callable[[], dict[str, Any]],
    sockets: AdminSockets,
    log: OperationalLog,
    desk: LedgerDesk,
    workers: Callable[[], Sequence[WorkerState]],
    limits: LimitsDesk,
) -> None:
    """Serve until cancelled; then what is in flight gets a second."""
    logging.getLogger("uvicorn.error").addHandler(Reports(log))
    app = build(registry, status, asking, log, desk, workers, limits)
    servers = [(server(Guarded(app, registry.refusals, None), PeerProtocol), sockets.local)]
    if sockets.console is not None:
        guarded = Guarded(app, registry.refusals, lambda: registry.operators)
        servers.append((server(guarded, HttpToolsProtocol), sockets.console))
    serving = [asyncio.ensure_future(one.serve([sock])) for one, sock in servers]
    try:
        await asyncio.gather(*map(asyncio.shield, serving))
    finally:
        for one, _ in servers:
            one.should_exit = True
        await asyncio.gather(*serving, return_exceptions=True)
