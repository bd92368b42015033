"""Bytes to messages and back: HTTP/1.1 for both legs of the gateway, on uvloop and httptools.

It owns sockets, framing, and every limit that protects a process from its peers: sizes, times, connections, buffers.
It never knows a tenant, a route or a provider, and it decides nothing about a call; the only errors that it makes
itself are those of the wire (malformed, too large, too slow, overloaded).

The server half: `server.Server` takes a listening socket and a handler. For each connection a `server_connection`
reads requests through the pure `request_reader` (heads by llhttp, bodies by length or `chunked_body`), hands each
whole `request.Request` to the handler together with a `responder.Responder`, one at a time and in order, and cancels
the handler when the client leaves. The client half: `client` and what it names.

Called by `gateway` (the data plane), and by `simulator`.
"""
