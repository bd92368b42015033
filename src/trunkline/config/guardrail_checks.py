"""Guardrails: policies whose check must be there and take its settings, and the lists that name them."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import rfc8785

from trunkline.config.checks import OWN_HEADERS, headers_of, names_of, words_of
from trunkline.config.document import Mapping, Node, Sequence
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.schema import Guardrail, Root
from trunkline.guardrails.check import BadSettings, Check, CheckKind, routes_of
from trunkline.guardrails.presets import PREFIX, PRESETS
from trunkline.guardrails.registry import UnknownCheck, check_kind, check_names, make_check
from trunkline.model import snapshot as model

REFERENCE: Final = "${"
LEAVING: Final = frozenset({"output", "answer", "tool_arguments"})  # stages of what goes to a client, and no other
VERSION_DIGITS: Final = 12  # hexadecimal ones of a SHA-256: for a person to tell versions apart


def check_guardrails(root: Root, problems: Problems) -> dict[str, model.Guardrail]:
    """Return the policies of the file, and the presets that it names; report what is wrong with any."""
    found: dict[str, model.Guardrail] = {}
    for name, section in (root.guardrails or {}).items():
        policy = _policy(root, name, section, problems)
        if policy is not None:
            found[name] = policy
    for place, names in _lists(root):
        for here, name in words_of(place, "guardrails", names):
            if name.startswith(PREFIX):
                found |= _preset(here, name, problems)
            elif name not in names_of(root, "guardrails"):
                fix = nearest(name, (*names_of(root, "guardrails"), *PRESETS))
                problems.add(here, f"there is no policy `{here.written or name}`", fix)
    return found


def names_in_force(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the policies that a list stands for: those of a preset in its place."""
    return tuple(dict.fromkeys(inner for name in names for inner in PRESETS.get(name, {name: {}})))


def _lists(root: Root) -> Iterable[tuple[Place, tuple[str, ...]]]:
    for route in (root.routes or {}).values():
        yield route.place, route.guardrails
    for tenant in (root.tenants or {}).values():
        yield tenant.place, tenant.guardrails


def preset_policies(name: str) -> dict[str, model.Guardrail]:
    """Return the policies of a preset, none if there is no such preset."""
    return {inner: _built_in(inner, dict(said)) for inner, said in PRESETS.get(name, {}).items()}


def _preset(here: Place, name: str, problems: Problems) -> dict[str, model.Guardrail]:
    if name not in PRESETS:
        problems.add(here, f"there is no preset `{name}`", nearest(name, tuple(PRESETS)))
    return preset_policies(name)


def _built_in(name: str, said: dict[str, Any]) -> model.Guardrail:
    kind = check_kind(said["check"])
    check = make_check(said["check"], said.get("settings", {}))
    return _versioned(msgspec.convert({"on": kind.stages, **said, "name": name, "version": ""}, model.Guardrail), check)


def _policy(root: Root, name: str, section: Guardrail, problems: Problems) -> model.Guardrail | None:
    if not section.check:
        return None  # reported
    try:
        kind = check_kind(section.check)
    except UnknownCheck as unknown:
        place = section.place.below("check")
        problems.add(place, str(unknown), nearest(section.check, check_names()))
        return None
    _check_action(section, kind, problems)
    try:
        check = make_check(section.check, section.settings)
    except BadSettings as bad:
        place = section.place.below(bad.key) if bad.key else section.place
        # A reason may quote what was written, and what a reference stands for may be a secret.
        reason = "" if _refers(place.node) else f": {bad.reason}"
        problems.add(place, f"the check `{section.check}` does not take this{reason}", _known(kind))
        return None
    _check_when(section, kind, check, problems)
    _check_routes(root, section, check, problems)
    _check_secrets(section, check, problems)
    return _versioned(
        model.Guardrail(
            name=name,
            version="",
            check=section.check,
            on=section.on or kind.stages,
            settings=section.settings,
            action=section.action,
            sentence=section.sentence or "",
            finish_reason=section.finish_reason,
            on_error=section.on_error if section.when == "sync" else "allow",  # there is nothing left to block
            on_unscannable=section.on_unscannable if section.when == "sync" else "allow",
            timeout=section.timeout,
            headers=tuple(sorted(section.headers or ())),
            everywhere=section.everywhere,
            when=section.when,
        ),
        check,
    )


def _check_routes(root: Root, section: Guardrail, check: Check, problems: Problems) -> None:
    known = names_of(root, "routes")
    for route in routes_of(check):
        if route not in known:
            place = section.place.below("route") if section.settings.get("route") == route else section.place
            problems.add(place, f"there is no route `{route}`", nearest(route, known))


def _refers(node: Node) -> bool:
    """Whether anything in a value is a reference to the environment or a file."""
    if isinstance(node, Mapping):
        return any(_refers(below) for _, below in node.entries)
    if isinstance(node, Sequence):
        return any(_refers(item) for item in node.items)
    return REFERENCE in node.written


def _check_action(section: Guardrail, kind: CheckKind, problems: Problems) -> None:
    action = section.place.below("action")
    if section.action not in kind.actions:
        problems.add(action, f"the check `{section.check}` cannot lead to that", f"write {' or '.join(kind.actions)}")
    elif section.action == "replace" and section.sentence is None:
        problems.add(action, "needs the sentence that is said instead", 'add `with: "..."`')
    if section.sentence is not None and section.action not in {"replace", "redact"}:
        problems.add(section.place.below("with"), "is for `replace` and `redact` only", "remove it")


def _check_when(section: Guardrail, kind: CheckKind, check: Check, problems: Problems) -> None:
    """Report what a policy cannot do that looks at an answer after it has left."""
    if section.when == "sync":
        return
    if not hasattr(check, "question"):
        message = f"the check `{section.check}` asks nobody, so there is nothing to wait for"
        problems.add(section.place.below("when"), message, "remove it")
        return
    if section.action != "flag":
        message = "an answer that has left can be flagged only"
        problems.add(section.place.below("action"), message, "write `action: flag`, or remove `when: after`")
    beyond = [stage for stage in section.on or kind.stages if stage not in LEAVING]
    if beyond:
        message = f"with `when: after` only what has left is looked at, which `{beyond[0]}` is not"
        problems.add(section.place.below("on"), message, "write `on: [output]`, or `answer` or `tool_arguments`")
    for name in ("on_error", "on_unscannable"):
        place = section.place.below(name)
        if place is not section.place and getattr(section, name) == "block":
            problems.add(place, "an answer that has left cannot be blocked", f"remove it, or write `{name}: allow`")


def _check_secrets(section: Guardrail, check: Check, problems: Problems) -> None:
    """Report headers that nobody would be sent, and what would be in the snapshot and may be a secret."""
    place = section.place.below("headers")
    if section.headers and not hasattr(check, "question"):
        problems.add(place, f"the check `{section.check}` asks nobody, so sends none", "remove them")
    elif section.headers and routes_of(check):
        message = f"the check `{section.check}` asks models over the gateway's own routes, so sends none"
        problems.add(place, message, "remove them; those for a provider stand in `providers`")
    for _ in headers_of(section, section.headers, OWN_HEADERS, problems):
        pass
    url = section.settings.get("url")
    written = section.place.below("url").written
    if hasattr(check, "question") and isinstance(url, str) and "?" in url and REFERENCE in written:
        message = "has a query and a reference: what that stands for would be in the snapshot and may be a secret"
        problems.add(section.place.below("url"), message, "send a secret in `headers`, and write the address out")


def _known(kind: CheckKind) -> str:
    names = kind.settings.__struct_encode_fields__
    return f"its settings are: {', '.join(names)}" if names else "it has no settings"


def _versioned(policy: model.Guardrail, check: Check) -> model.Guardrail:
    """Give a policy the version that stands for what it does, whatever it is called."""
    said = msgspec.to_builtins(msgspec.structs.replace(policy, name="", version=""))
    whole: dict[str, Any] = {"policy": said, "check": check.version}
    digest = hashlib.sha256(rfc8785.dumps(whole)).hexdigest()
    return msgspec.structs.replace(policy, version=digest[:VERSION_DIGITS])
