"""The one tree of errors that a caller of the gateway can meet.

A class says what the error means on the wire: HTTP status, code, type, whether trying again helps, whose fault it is
(`source`) and which outcome the call gets in the record. It is raised once, at the layer that knows; the gateway's
edge turns it into an answer. Errors that never reach a caller (a bad configuration file, a torn log) live in the
package that finds them.
"""

from typing import ClassVar, Literal

Source = Literal["client", "tenant_limit", "guardrail", "provider", "gateway"]


class CallError(Exception):
    """A call that ends with an error; `message` is safe to show to the caller and names what to do.

    `param` is the request field at fault, `rule` the policy or limit that decided, `retry_after` the seconds until
    the same call can work.
    """

    status: int = 500
    code: str | None = "internal_error"
    type: str = "server_error"
    retryable: bool = False
    source: Source = "gateway"
    outcome: ClassVar[str] = "failed"

    def __init__(
        self, message: str, *, param: str | None = None, rule: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.rule = rule
        self.retry_after = retry_after


class InternalError(CallError):
    """A fault of ours; the operational log has the details, the caller only the call id."""


class InvalidRequest(CallError):
    """The request is malformed, or asks for what no target can do."""

    status = 400
    code: str | None = "invalid_request"
    type = "invalid_request_error"
    source: Source = "client"
    outcome = "invalid"


class UserRequired(InvalidRequest):
    """The tenant requires a user on every call and this one names none."""

    code = "user_required"


class InvalidApiKey(CallError):
    """No key, an unknown one, or one that is expired or revoked; the caller is not told which."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"
    source: Source = "client"
    outcome = "denied"


class RouteNotAllowed(CallError):
    """The key is good, but may not use this route."""

    status = 403
    code = "route_not_allowed"
    type = "permission_error"
    source: Source = "client"
    outcome = "denied"


class ModelNotFound(InvalidRequest):
    """No route or `provider/model` of that name; the message names what the key may use."""

    status = 404
    code = "model_not_found"


class EndpointNotSupported(InvalidRequest):
    """A path or method that the gateway does not serve."""

    status = 404
    code = "endpoint_not_supported"


class RequestTooLarge(InvalidRequest):
    """The body is above `server.max_body`."""

    status = 413
    code = "request_too_large"


class RequestTimeout(InvalidRequest):
    """The request did not arrive within `server.header_timeout`."""

    status = 408
    code = "request_timeout"
    retryable = True


class RateLimited(CallError):
    """A limit, or a fair share, is used up: the message names which, whose and how much it is.

    `owner` is who it belongs to: a user, a team, a key, a route, a tag, or the tenant itself.
    """

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    retryable = True
    source: Source = "tenant_limit"
    outcome = "limited"

    def __init__(
        self, message: str, *, rule: str | None = None, retry_after: float | None = None, owner: str | None = None
    ) -> None:
        super().__init__(message, rule=rule, retry_after=retry_after)
        self.owner = owner


class BudgetExceeded(RateLimited):
    """A blocking budget is used up; the message says when it begins anew."""

    status = 402
    code = "budget_exceeded"
    type = "insufficient_quota"
    retryable = False
    outcome = "over_budget"


class ContentFilter(CallError):
    """A guardrail stopped what the client sent; `rule` is the policy."""

    status = 400
    code = "content_filter"
    type = "invalid_request_error"
    source: Source = "guardrail"
    outcome = "blocked"


class AnswerReplaced(ContentFilter):
    """A guardrail answers in the model's place: `sentence` is what it says."""

    outcome = "replaced"

    def __init__(self, message: str, *, rule: str, sentence: str, param: str | None = None) -> None:
        super().__init__(message, rule=rule, param=param)
        self.sentence = sentence


class ClientLeft(CallError):
    """The client went while its call was held before it was let in: nobody is told, and it is counted."""

    status = 499  # nginx's status for a client that closed the connection
    code = None
    source: Source = "client"
    outcome = "cancelled_before"


class ProviderRejected(CallError):
    """A provider answered in the 400 class: the caller gets its status, once, and its code normalised."""

    type = "invalid_request_error"
    source: Source = "provider"
    outcome = "invalid"

    def __init__(self, message: str, *, status: int, code: str | None, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.code = code


class ProviderUnavailable(CallError):
    """Every target rests after a 429 or has its breaker open."""

    status = 429
    code = "provider_unavailable"
    type = "rate_limit_error"
    retryable = True
    source: Source = "provider"


class ProvidersFailed(CallError):
    """Every target was tried and failed, or the answer broke off after a released byte."""

    status = 502
    code = "providers_failed"
    source: Source = "provider"


class DeadlineExceeded(CallError):
    """The call's total deadline passed before an answer came."""

    status = 504
    code = "deadline_exceeded"
    source: Source = "provider"


class AuditUnavailable(CallError):
    """The record cannot be written, so the call must not be answered."""

    status = 503
    code = "audit_unavailable"
    type = "service_unavailable"
    retryable = True


class Draining(CallError):
    """This process is shutting down; another one takes the next call."""

    status = 503
    code = "draining"
    type = "service_unavailable"
    retryable = True


class Overloaded(CallError):
    """The process holds as much in flight as it may."""

    status = 503
    code = "overloaded"
    type = "service_unavailable"
    retryable = True


def envelope(error: CallError, call: str | None) -> dict[str, object]:
    """OpenAI's error body with our part inside it, where SDKs keep it; `call` is the call id, if there is one."""
    wait = None if error.retry_after is None else round(error.retry_after, 3)  # of a provider's clock, to the ms
    ours: dict[str, object] = {"call": call, "rule": error.rule, "source": error.source, "retry_after": wait}
    if isinstance(error, RateLimited):
        ours["owner"] = error.owner
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "code": error.code,
            "param": error.param,
            "trunkline": ours,
        }
    }
