"""The data plane: carries calls from clients to providers and back, and records each one.

Owns the story of a call (`exchange`), the paths served (`endpoints`), the providers' connections (`upstreams`) and
the process that all this runs in (`worker`). Never decides by itself (that is `policy`), never parses a provider's
format (that is `dialects`), never waits for a database. The supervisor starts it.
"""
