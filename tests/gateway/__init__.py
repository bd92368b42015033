"""A package, because several of its modules are named like others' elsewhere."""
