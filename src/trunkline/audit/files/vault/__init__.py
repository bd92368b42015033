"""The vault: the keys of bodies, in files that can be changed, beside logs that cannot.

A key-encryption key (`key_encryption`), which is never in the store, wraps root keys (`root_keys`); a root key wraps
data keys and names, which stand in a file of each process that writes (`key_file`). `KeysInUse` gives a writer the key
to seal with, `StoredKeys` a reader the key to open with.
"""
