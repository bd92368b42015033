"""OpenAI's errors: what it says with which status, and how its error bodies look."""

from typing import Any

import msgspec

from trunkline.simulator.answer import Rejection

ORGANIZATION = "org-Hx4bQ7simulated0000001"


class Saying(msgspec.Struct, frozen=True):
    """The parts of an error body."""

    message: str
    type: str
    code: str | None = None
    param: str | None = None


_TOO_LONG = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens. "
    "Please reduce the length of the messages."
)
_WRONG_KEY = (
    "Incorrect API key provided: sk-simul***************************9f2c. You can find your API key at "
    "https://platform.openai.com/account/api-keys."
)
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_NO_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)
_OVERLOADED = (
    "That model is currently overloaded with other requests. You can retry your request, or contact us through our "
    "help center if the error persists."
)
_LIMITS_PAGE = "Visit https://platform.openai.com/account/rate-limits to learn more."

# What OpenAI says with a status that no rule of the request explains.
_SAYS = {
    400: Saying(_TOO_LONG, "invalid_request_error", "context_length_exceeded", "messages"),
    401: Saying(_WRONG_KEY, "invalid_request_error", "invalid_api_key"),
    403: Saying(
        "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"
    ),
    404: Saying(
        "The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"
    ),
    413: Saying("Request body is too large.", "invalid_request_error"),
    429: Saying(
        f"Rate limit reached for requests in organization {ORGANIZATION} on requests per min (RPM): Limit 500, "
        f"Used 500, Requested 1. Please try again in 120ms. {_LIMITS_PAGE}",
        "requests",
        "rate_limit_exceeded",
    ),
    500: Saying("The server had an error while processing your request. Sorry about that!", "server_error"),
    503: Saying(_OVERLOADED, "server_error"),
}
_OTHERWISE = Saying("The server had an error processing your request.", "server_error")


def saying(status: int) -> Saying:
    """Return what OpenAI says with a status."""
    return _SAYS.get(status, _OTHERWISE)


def no_key() -> Rejection:
    """Return the error of a request without a key."""
    return Rejection(401, _NO_KEY, type="invalid_request_error")


def wrong_key() -> Rejection:
    """Return the error of a request with a key that is not good."""
    return Rejection(401, _WRONG_KEY, type="invalid_request_error", code="invalid_api_key")


def no_json() -> Rejection:
    """Return the error of a body that is no JSON object."""
    return Rejection(400, _NO_JSON, type="invalid_request_error")


def rate_limited(calls: int, window: float, wait: float) -> Rejection:
    """Return the error of a call that is one too many."""
    message = (
        f"Rate limit reached for requests in organization {ORGANIZATION} on requests per {window:g} s: Limit {calls}, "
        f"Used {calls}, Requested 1. Please try again in {wait:.3f}s. {_LIMITS_PAGE}"
    )
    return Rejection(429, message, type="requests", code="rate_limit_exceeded")


def body(rejection: Rejection) -> dict[str, Any]:
    """Return the error envelope."""
    return {
        "error": {
            "message": rejection.message,
            "type": rejection.type,
            "param": rejection.param,
            "code": rejection.code,
        }
    }


def invalid(message: str, param: str | None, code: str | None = None) -> Rejection:
    """Return the error of an invalid request."""
    return Rejection(400, message, type="invalid_request_error", code=code, param=param)


def missing(path: str) -> Rejection:
    """Return the error of a required field that is not there."""
    return invalid(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def empty(path: str) -> Rejection:
    """Return the error of an array that must not be empty."""
    words = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return invalid(words, path, "empty_array")
