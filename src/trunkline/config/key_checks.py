"""Virtual keys of the file and of control's log together: one id and one secret belong to one key."""

from collections.abc import Sequence

from trunkline.config.checks import check_name, names_of
from trunkline.config.places import Place, Problems
from trunkline.config.schema import Console, Root
from trunkline.config.strength import HOW, digest
from trunkline.model import snapshot as model
from trunkline.model.operators import ADMIN


def check_keys(root: Root, keys: Sequence[model.Key], problems: Problems) -> None:
    """Report keys that are there twice, and keys of the log that the file leaves without a tenant or a route."""
    ids: dict[str, str] = {}
    digests: dict[str, str] = {}
    for known in keys:
        ids[known.id] = f"a key made with `trunkline keys create` (tenant {known.tenant})"
        digests.update((found, f"the key {known.id}") for found in known.digests)
        _check_log_key(root, known, problems)
    if root.console:
        _check_operators(root.console, digests, problems)
    for tenant in (root.tenants or {}).values():
        for name, key in (tenant.keys or {}).items():
            if name in ids:
                problems.add(key.place, f"the id `{name}` is in use: {ids[name]}", "choose another id")
            else:
                ids[name] = key.place.path
            _check_secrets(key.place, key.secret, digests, problems)


def _check_secrets(place: Place, secrets: tuple[str, ...], digests: dict[str, str], problems: Problems) -> None:
    for secret in secrets:
        _check_secret(place.below("secret"), secret, digests, problems, place.path)


def _check_secret(place: Place, secret: str, digests: dict[str, str], problems: Problems, owner: str = "") -> None:
    found = digest(secret)
    if found in digests:
        problems.add(place, f"has the same secret as {digests[found]}", f"give each its own; {HOW}")
    else:
        digests[found] = owner or place.path


def _check_operators(console: Console, digests: dict[str, str], problems: Problems) -> None:
    """A token names one operator, so no two have the same; `admin` is whoever has the admin token."""
    if console.admin_token:
        digests[digest(console.admin_token)] = "console.admin_token"
    for name, operator in (console.operators or {}).items():
        if name == ADMIN:
            problems.add(operator.place, f"`{ADMIN}` is who shows `admin_token`", "choose another name")
        if operator.token:
            _check_secret(operator.place.below("token"), operator.token, digests, problems)


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
