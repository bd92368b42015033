"""Sections that were found good -> the snapshot and the secrets beside it."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from trunkline.config import schema
from trunkline.config.addresses import without_userinfo
from trunkline.config.guardrail_checks import names_in_force
from trunkline.config.priced import BASE_URLS
from trunkline.config.strength import digest
from trunkline.model import snapshot as model


def snapshot(
    root: schema.Root,
    node: str,
    keys: Sequence[model.Key],
    prices: dict[str, model.Price],
    directories: Mapping[str, model.Directory],
) -> model.Snapshot:
    """Return the snapshot of a file, with the keys of control's log and the directories of its tenants."""
    tenants = root.tenants or {}
    of_file = {key.id: key for name, tenant in tenants.items() for key in _keys(name, tenant)}
    return model.Snapshot(
        version=1,
        node=node,
        listen=root.listen,
        workers=root.workers,
        providers={name: _provider(name, section) for name, section in root.providers.items()},
        routes={name: _route(name, section) for name, section in (root.routes or {}).items()},
        tenants={name: _tenant(name, section, directories.get(name)) for name, section in tenants.items()},
        keys={**of_file, **{key.id: key for key in keys}},
        prices=prices,
        server=_server(root.server),
        tls=model.Tls(root.tls.cert, root.tls.key) if root.tls else None,
        log=model.Log(root.log.format, root.log.level),
        audit=_audit(root.audit),
        limits=_limits_section(root.limits),
    )


def secrets(root: schema.Root) -> model.Secrets:
    """Return what only the providers, the services that guardrails ask, and Redis may be told."""
    providers = {
        name: model.ProviderSecrets(
            api_keys=section.api_key or (),
            headers=section.headers or {},
            proxy=section.proxy,
        )
        for name, section in root.providers.items()
    }
    guardrails = {name: section.headers for name, section in (root.guardrails or {}).items() if section.headers}
    return model.Secrets(providers=providers, redis_url=root.limits.redis_url, guardrails=guardrails)


def _provider(name: str, section: schema.Provider) -> model.Provider:
    return model.Provider(
        name=name,
        dialect=section.dialect,
        base_url=section.base_url or BASE_URLS[section.dialect],
        region=section.region,
        data_retention=section.data_retention,
        keep_warm=section.keep_warm,
        models=section.models,
        proxy=without_userinfo(section.proxy) if section.proxy else None,
        ca_bundle=section.ca_bundle,
        headers=tuple(sorted(section.headers or ())),
        capacity=_capacity(section.capacity),
    )


def _capacity(section: schema.Capacity | None) -> model.Capacity | None:
    if section is None:
        return None
    return model.Capacity(requests_per_minute=section.requests_per_minute, tokens_per_minute=section.tokens_per_minute)


def _route(name: str, section: schema.Route) -> model.Route:
    instead = section.instead_of_error
    sentences = {code: getattr(instead, code) for code in ("blocked", "limited", "over_budget", "unavailable")}
    breaker = section.breaker
    return model.Route(
        name=name,
        targets=tuple(_target(target) for target in section.targets),
        strategy=section.strategy,
        attempts_per_target=section.retry.attempts_per_target,
        timeouts=_timeouts(section.timeouts),
        breaker=model.Breaker(failures=breaker.failures, within=breaker.within, open_for=breaker.open_for),
        sticky=section.sticky,
        pass_through=section.pass_through,
        instead_of_error={code: sentence for code, sentence in sentences.items() if sentence is not None},
        guardrails=names_in_force(section.guardrails),
        hold=section.hold,
    )


def _timeouts(section: schema.Timeouts) -> model.Timeouts:
    """A default that is longer than the total that was written is as long as the total: it could never matter."""
    total = section.total
    connect, first_token, gap = (min(value, total) for value in (section.connect, section.first_token, section.gap))
    return model.Timeouts(connect=connect, first_token=first_token, gap=gap, total=total)


def _target(section: schema.Target) -> model.Target:
    params = section.params
    return model.Target(
        provider=section.provider,
        model=section.model,
        weight=section.weight,
        first_token=section.first_token,
        max_output_tokens=section.max_output_tokens,
        params=model.Params(default=params.default or {}, set=params.set or {}, drop=params.drop),
    )


def _tenant(name: str, section: schema.Tenant, directory: model.Directory | None) -> model.Tenant:
    allow = section.allow
    return model.Tenant(
        name=name,
        regulated=section.regulated,
        time_zone=section.time_zone,
        require=section.require,
        allow=model.Allow(providers=allow.providers, regions=allow.regions, data_retention=allow.data_retention),
        directory=directory,
        limits=_limits(section.limits),
        user_limits=_limits(section.user_limits),
        team_limits=_limits(section.team_limits),
        route_limits={route: _some_limits(limits) for route, limits in (section.route_limits or {}).items()},
        # What is left out because it is the default has to be that very object.
        wait_up_to=section.wait_up_to or schema.TENANT.wait_up_to,
        budget=_budget(section.budget),
        user_budget=_budget(section.user_budget),
        team_budget=_budget(section.team_budget),
        tag_budget=_budget(section.tag_budget),
        weight=section.weight,
        enforce=section.enforce,
        guardrails=names_in_force(section.guardrails),
        retention=section.retention,
        erase_before_retention=section.erase_before_retention,
    )


def _audit(section: schema.Audit) -> model.Audit:
    retention = UNSET if section.retention == model.RETENTION else section.retention
    copies = tuple(copy.directory for copy in section.copies)
    return model.Audit(
        section.durability,
        section.key_file or UNSET,
        retention,
        copies or UNSET,
        "off" if section.vault is None else UNSET,
    )


def _limits(section: schema.Limits | None) -> model.Limits | None:
    return None if section is None else _some_limits(section)


def _some_limits(section: schema.Limits) -> model.Limits:
    return model.Limits(**{name: getattr(section, name) for name in model.Limits.__struct_fields__})


def _budget(section: schema.Budget | None) -> model.Budget | None:
    if section is None:
        return None
    tag = section.tag if isinstance(section, schema.TagBudget) else None
    return model.Budget(amount=section.amount, per=section.per, on_exceeded=section.on_exceeded, tag=tag)


def _limits_section(section: schema.LimitsSection) -> model.LimitsSection:
    url = section.redis_url
    made = model.LimitsSection(
        backend=section.backend,
        redis_url=without_userinfo(url) if url is not None else None,
        redis_ca_bundle=section.redis_ca_bundle,
        on_authority_loss=section.on_authority_loss,
    )
    return model.LOCAL if made == model.LOCAL else made


def _keys(tenant: str, section: schema.Tenant) -> list[model.Key]:
    return [
        model.Key(
            id=name,
            tenant=tenant,
            digests=tuple(digest(secret) for secret in key.secret),
            routes=key.routes,
            team=key.team,
            expires=key.expires,
            limits=_limits(key.limits),
            budget=_budget(key.budget),
        )
        for name, key in (section.keys or {}).items()
    ]


def _server(section: schema.Server) -> model.Server:
    return model.Server(
        max_body=section.max_body,
        max_headers=section.max_headers,
        header_timeout=section.header_timeout,
        idle_timeout=section.idle_timeout,
        max_connections=section.max_connections,
        max_in_flight_bytes=section.max_in_flight_bytes,
        drain=section.drain,
    )
