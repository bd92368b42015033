"""Who asks for what over the admin API, and whether they may; whoever may not is counted, and on record.

`listeners` finds out who it is and puts that into the request; here it is held against the table of `roles`.
"""

from typing import TYPE_CHECKING

from fastapi import Request

from trunkline.control.roles import NEEDED, Caller, Right, holders

if TYPE_CHECKING:
    from trunkline.control.registry import Registry

# In the scope of a request (ASGI): its Caller.
CALLER = "trunkline.caller"


class Forbidden(Exception):
    """The caller's role does not have the right; the message says which ones have."""


class Admission:
    """Lets requests through that their caller may make."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry

    async def __call__(self, request: Request) -> None:
        """Hold a request against the table; raises Forbidden. To be made a dependency of every endpoint."""
        self.require(request, NEEDED.get(endpoint_of(request)))

    def require(self, request: Request, right: Right | None) -> None:
        """Raise Forbidden, and count it, unless the caller has this right."""
        caller = caller_of(request)
        if caller.may(right):
            return
        self._registry.refusals.add(403, caller.who, endpoint_of(request))
        allowed = ", ".join(holders(right)) if right is not None else "nobody"
        raise Forbidden(f"the role {caller.role} may not do this; {allowed} may")


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    caller: Caller = request.scope[CALLER]
    return caller


def asking(request: Request) -> str:
    """Return who asks, as records name it."""
    return caller_of(request).who


def endpoint_of(request: Request) -> str:
    """Return the method and the path of an endpoint, as the table of rights has them."""
    return f"{request.method} {request.scope['route'].path}"
