"""Virtual keys of the file and of control's log together: one id and one secret belong to one key."""

from collections.abc import Sequence

from trunkline.config.checks import check_name, names_of
from trunkline.config.places import Place, Problems
from trunkline.config.schema import Root
from trunkline.config.strength import HOW, digest
from trunkline.model import snapshot as model


def check_keys(root: Root, keys: Sequence[model.Key], problems: Problems) -> None:
    """Report keys that are there twice, and keys of the log that the file leaves without a tenant or a route."""
    ids: dict[str, str] = {}
    digests: dict[str, str] = {}
    for known in keys:
        ids[known.id] = f"a key made with `trunkline keys create` (tenant {known.tenant})"
        digests.update((found, f"the key {known.id}") for found in known.digests)
        _check_log_key(root, known, problems)
    if root.console and root.console.admin_token:
        digests[digest(root.console.admin_token)] = "console.admin_token"
    for tenant in (root.tenants or {}).values():
        for name, key in (tenant.keys or {}).items():
            if name in ids:
                problems.add(key.place, f"the id `{name}` is in use: {ids[name]}", "choose another id")
            else:
                ids[name] = key.place.path
            _check_secrets(key.place, key.secret, digests, problems)


def _check_secrets(place: Place, secrets: tuple[str, ...], digests: dict[str, str], problems: Problems) -> None:
    for secret in secrets:
        found = digest(secret)
        if found in digests:
            message = f"has the same secret as {digests[found]}"
            problems.add(place.below("secret"), message, f"give each key its own; {HOW}")
        else:
            digests[found] = place.path


def _check_log_key(root: Root, key: model.Key, problems: Problems) -> None:
    tenants = root.place.below("tenants")
    fix = f"put it back, or run `trunkline keys revoke {key.id}` first"
    if key.tenant not in names_of(root, "tenants"):
        problems.add(tenants, f"the tenant `{key.tenant}` of the key {key.id} is not in the file", fix)
    found = Problems(problems.file)
    for name in key.routes or ():
        check_name(root, name, root.place.below("routes"), found)
    for problem in found.found:
        problems.add(root.place.below("routes"), f"the key {key.id} of control's log: {problem.message}", fix)
