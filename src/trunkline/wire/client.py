"""The client half of the wire: ask a provider over HTTP/1.1 and read the answer, whole or as it comes.

    pool = Pool(Endpoint(base_url="https://api.example.com/v1", keep_warm=2))
    await pool.warm()
    answer = await pool.ask(b"/chat/completions", b"authorization: Bearer ...\\r\\n", body)
    if answer.status == 200:
        while piece := await answer.next_piece():
            ...

A `Pool` has one `Endpoint` and lends its connections (`client_connection`, opened by `connector`, directly or by a
proxy) to one exchange at a time. The pure `response_reader` makes an `Answer` of the bytes. What fails is a
`WireError` with a `reason`. Time limits beyond the connection's are the caller's: see `Pool.ask`.
"""

from trunkline.wire.answer import Answer
from trunkline.wire.client_errors import (
    AnswerMalformed,
    AnswerTooLarge,
    ConnectFailed,
    ConnectionBroken,
    PoolClosed,
    PoolExhausted,
    WireError,
)
from trunkline.wire.endpoint import Endpoint
from trunkline.wire.pool import Pool

__all__ = [
    "Answer",
    "AnswerMalformed",
    "AnswerTooLarge",
    "ConnectFailed",
    "ConnectionBroken",
    "Endpoint",
    "Pool",
    "PoolClosed",
    "PoolExhausted",
    "WireError",
]
