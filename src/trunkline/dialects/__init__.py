"""The formats that clients and providers speak, and what becomes of a request or an answer between them.

Owns encoding a `ChatRequest` for a provider, decoding its bytes into `Delta`s, and both directions of the client's
face; says by name what a target cannot take, what was dropped and what was repaired. Never touches a socket, a clock
or a file, never chooses a target, never judges content. The gateway calls it; `provider` has the types, `registry`
the table of providers' dialects, `openai_client` the client's face.
"""
