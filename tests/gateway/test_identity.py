"""Who calls, for whom, with what, and where to: taken from key, headers and body, refused with words that help."""

import json

import pytest

from gateway.raw_client import get, hear, payload, request, send
from gateway.running import SECRET, play
from trunkline.simulator import ErrorAnswer, Script

GOOD = Script(text="All is well.")
LIMITED = "limited: {secret: tl-4mWq8ZsT1vYbN6cXe2RkHj9LpGf5DuAo3iVyBxEwQz, routes: [only-first, first/gpt-4o-mini]}"
LIMITED_SECRET = "tl-4mWq8ZsT1vYbN6cXe2RkHj9LpGf5DuAo3iVyBxEwQz"
EXPIRED_SECRET = "tl-9kPz3XcV7bNmQ1wHrT5yKiOp2AsMfGhJwL6ZxCvBnE"


@pytest.mark.parametrize(
    ("headers", "status", "code", "says"),
    [
        ({"authorization": None}, 401, "invalid_api_key", "No API key"),
        ({"authorization": "Basic dGw6dGw="}, 401, "invalid_api_key", "No API key"),
        ({"authorization": "Bearer "}, 401, "invalid_api_key", "No API key"),
        ({"authorization": "Bearer tl-unknown"}, 401, "invalid_api_key", "unknown, expired or revoked"),
        ({"x-api-key": "tl-another"}, 400, "invalid_request", "two API keys that differ"),
        ({"authorization": None, "x-api-key": "a", "api-key": "b"}, 400, "invalid_request", "two API keys that differ"),
    ],
)
def test_a_request_without_one_good_key_is_refused(tmp_path, headers, status, code, says):
    async def story(gateway, simulator):
        for heard in (await hear(gateway, None, headers), await get(gateway, "/v1/models", headers)):
            assert heard.status == status
            assert heard.error["code"] == code
            assert says in heard.error["message"]
            assert heard.error["trunkline"]["source"] == "client"
        assert simulator.openai.call_count == 0

    play(tmp_path, story)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"bearer {SECRET}"},
        {"authorization": None, "x-api-key": SECRET},
        {"authorization": None, "api-key": SECRET},
        {"authorization": f"Bearer {SECRET}", "x-api-key": SECRET, "api-key": SECRET},
    ],
)
def test_a_key_is_taken_wherever_clients_put_it(tmp_path, headers):
    async def story(gateway, simulator):
        assert (await hear(gateway, None, headers)).status == 200

    play(tmp_path, story, GOOD)


def test_an_expired_key_is_an_unknown_one(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, None, {"authorization": f"Bearer {EXPIRED_SECRET}"})
        assert (heard.status, heard.error["code"]) == (401, "invalid_api_key")

    play(tmp_path, story, keys=f"old: {{secret: {EXPIRED_SECRET}, expires: 2020-01-01}}")


def test_a_key_may_use_what_it_names_and_is_told_what_that_is(tmp_path):
    async def story(gateway, simulator):
        mine = {"authorization": f"Bearer {LIMITED_SECRET}"}
        assert (await hear(gateway, {"model": "only-first"}, mine)).status == 200
        forbidden = await hear(gateway, {"model": "voice"}, mine)
        assert (forbidden.status, forbidden.error["code"]) == (403, "route_not_allowed")
        assert forbidden.error["param"] == "model"
        unknown = await hear(gateway, {"model": "nowhere"}, mine)
        assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
        assert "`only-first`, `first/gpt-4o-mini`" in unknown.error["message"]
        assert "voice" not in unknown.error["message"]

    play(tmp_path, story, GOOD, keys=LIMITED)


def test_a_key_that_names_it_asks_a_provider_s_model_directly(tmp_path):
    async def story(gateway, simulator):
        mine = {"authorization": f"Bearer {LIMITED_SECRET}"}
        heard = await hear(gateway, {"model": "first/gpt-4o-mini"}, mine)
        assert heard.text == "All is well."
        assert gateway.record("call.opened")["route"] == "first/gpt-4o-mini"
        assert (await hear(gateway, {"model": "first/gpt-4o"}, mine)).status == 404
        assert (await hear(gateway, {"model": "second/claude-haiku-4-5"}, mine)).status == 404
        assert (await hear(gateway, {"model": "first/gpt-4o-mini"})).status == 403

    play(tmp_path, story, GOOD, keys=LIMITED)


def test_the_models_are_those_of_the_key(tmp_path):
    async def story(gateway, simulator):
        mine = {"authorization": f"Bearer {LIMITED_SECRET}"}
        listed = (await get(gateway, "/v1/models", mine)).json
        assert listed["object"] == "list"
        assert [model["id"] for model in listed["data"]] == ["only-first", "first/gpt-4o-mini"]
        one = await get(gateway, "/v1/models/first/gpt-4o-mini", mine)
        assert (one.status, one.json["id"], one.json["object"]) == (200, "first/gpt-4o-mini", "model")
        hidden = await get(gateway, "/v1/models/voice", mine)
        assert (hidden.status, hidden.error["code"], hidden.error["param"]) == (404, "model_not_found", "model")
        assert (await get(gateway, "/v1/models/voice")).status == 200

    play(tmp_path, story, keys=LIMITED)


def test_the_opened_record_says_who_called_for_whom_and_how(tmp_path):
    headers = {
        "x-trunkline-user": "ann.advisor",
        "x-trunkline-subject": "Henderson, Zo\u00eb".encode().decode("latin-1"),
        "x-trunkline-session": "call-77",
        "x-trunkline-purpose": "eval",
        "x-trunkline-tags": "env=prod, channel=phone",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "vendor=x",
        "x-client-request-id": "client-1",
        "idempotency-key": "once-1",
    }
    fields = {"metadata": {"desk": "west", "session": "ignored"}, "user": "ignored", "temperature": 0.5}

    async def story(gateway, simulator):
        data = request(payload(fields)).replace(
            b"connection: close",
            b"connection: close\r\n" + "\r\n".join(f"{n}: {v}" for n, v in headers.items()).encode("latin-1"),
        )
        heard = await send(gateway, data)
        assert heard.status == 200
        opened = gateway.record("call.opened")
        said = {
            "tenant": "harbor",
            "team": "wealth-desk",
            "key_id": "voice-agent",
            "user": "ann.advisor",
            "user_source": "header",
            "subject": "Henderson, Zo\u00eb",
            "session": "call-77",
            "purpose": "eval",
            "tags": {"desk": "west", "env": "prod", "channel": "phone"},
            "traceparent": headers["traceparent"],
            "tracestate": "vendor=x",
            "client_request_id": "client-1",
            "idempotency_key": "once-1",
            "endpoint": "/v1/chat/completions",
            "route": "voice",
            "model_asked": "voice",
            "stream": False,
            "parameters": {"temperature": 0.5},
        }
        assert {name: opened[name] for name in said} == said
        assert opened["call"] == opened["id"] == heard.headers["x-trunkline-call"] != "client-1"
        assert opened["snapshot"] == gateway.worker._endpoints.in_force.digest
        assert float(opened["estimate"]["cost"]) > 0

    play(tmp_path, story, GOOD)


@pytest.mark.parametrize(
    ("headers", "fields", "user", "source"),
    [
        ({"x-trunkline-user": "h"}, {"safety_identifier": "s", "user": "b"}, "h", "header"),
        ({}, {"safety_identifier": "s", "user": "b"}, "s", "safety_identifier"),
        ({}, {"user": "b"}, "b", "body"),
        ({}, {}, None, None),
    ],
)
def test_the_user_comes_from_the_first_place_that_names_one(tmp_path, headers, fields, user, source):
    async def story(gateway, simulator):
        assert (await hear(gateway, fields, headers)).status == 200
        opened = gateway.record("call.opened")
        assert (opened.get("user"), opened.get("user_source"), opened.get("subject")) == (user, source, user)

    play(tmp_path, story, GOOD)


def test_a_tenant_that_requires_a_user_gets_none_unnamed(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway)
        assert (heard.status, heard.error["code"], heard.error["param"]) == (400, "user_required", "user")
        assert "x-trunkline-user" in heard.error["message"]
        assert (await hear(gateway, {"user": "ann"})).status == 200

    play(tmp_path, story, GOOD, tenant="require: [user]")


@pytest.mark.parametrize(
    "allow",
    ["{providers: [second]}", "{regions: [eu]}", "{data_retention: 0s}"],
    ids=["provider", "region", "retention"],
)
def test_what_the_tenant_has_not_approved_is_never_asked_failover_included(tmp_path, allow):
    async def story(gateway, simulator):
        skipped, answered = None, None
        heard = await hear(gateway)
        assert heard.headers["x-trunkline-provider"] == "second"
        skipped, answered = gateway.record("call.closed")["attempts"]
        assert skipped["reason"].startswith("not_approved:")
        assert (skipped["provider"], skipped["outcome"], answered["outcome"]) == ("first", "skipped", "answered")
        simulator.anthropic.play(Script(fault=ErrorAnswer(status=500)))
        assert (await hear(gateway, {"model": "reversed"})).status == 502
        alone = await hear(gateway, {"model": "only-first"})
        assert (alone.status, alone.error["code"]) == (403, "route_not_allowed")
        assert gateway.records("call.closed")[2]["outcome"] == "denied"
        assert simulator.openai.call_count == 0

    play(tmp_path, story, GOOD, GOOD, tenant=f"allow: {allow}")


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_fields_are_dropped_and_the_caller_is_told(tmp_path, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"shiny": 1, "stream": stream, "metadata": {"a": "b"}})
        assert heard.status == 200
        assert heard.headers["x-trunkline-dropped"] == "shiny"
        assert gateway.record("call.closed")["dropped"] == ["shiny"]
        assert not {"shiny", "metadata", "user"} & simulator.openai.calls[0].body.keys()

    play(tmp_path, story, GOOD)


def test_unknown_fields_are_refused_or_passed_on_where_the_route_says_so(tmp_path):
    async def refused(gateway, simulator):
        heard = await hear(gateway, {"shiny": 1})
        assert (heard.status, heard.error["param"]) == (400, "shiny")
        assert simulator.openai.call_count == 0

    async def allowed(gateway, simulator):
        heard = await hear(gateway, {"shiny": 1})
        assert simulator.openai.calls[0].body["shiny"] == 1
        assert heard.status == 400  # the provider's own opinion of it

    for name, story in (("refuse", refused), ("allow", allowed)):
        directory = tmp_path / name
        directory.mkdir()
        play(directory, story, GOOD, route=f"pass_through: {name}")


def test_a_field_s_name_cannot_add_a_header(tmp_path):
    names = [f"x\r\nset-cookie: a=b\r\n\r\n<html>\u20ac\x00{number}" for number in range(100)]

    async def story(gateway, simulator):
        for stream in (False, True):
            heard = await hear(gateway, dict.fromkeys(names, 1) | {"stream": stream})
            assert heard.status == 200
            assert "set-cookie" not in heard.headers
            assert len(heard.headers["x-trunkline-dropped"]) <= 1000
            assert heard.text == "All is well."

    play(tmp_path, story, GOOD)


def test_nothing_of_the_client_s_headers_goes_to_a_provider_and_nothing_of_its_back(tmp_path):
    headers = {
        "cookie": "a=b",
        "baggage": "user=ann",
        "openai-organization": "org-mine",
        "x-forwarded-for": "10.1.2.3",
        "x-trunkline-user": "ann",
        "user-agent": "agent/1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "vendor=x",
    }

    async def story(gateway, simulator):
        for model, provider in (("only-first", simulator.openai), ("only-second", simulator.anthropic)):
            heard = await hear(gateway, {"model": model}, headers)
            assert not headers.keys() & provider.calls[0].headers.keys()
            assert "ann" not in json.dumps(provider.calls[0].headers)
            ours = {"date", "content-type", "content-length", "connection", "x-request-id"}
            assert {name for name in heard.headers if not name.startswith("x-trunkline-")} == ours

    play(tmp_path, story, GOOD, GOOD)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("GET /v1/chat/completions", 404),
        ("POST /v1/embeddings", 404),
        ("DELETE /v1/models/voice", 404),
        ("GET /", 404),
        ("POST /v1/chat/completions/../../readyz", 404),
    ],
)
def test_a_path_that_is_not_served_says_so_in_json(tmp_path, target, status):
    async def story(gateway, simulator):
        heard = await send(gateway, request(b"", None, target))
        assert (heard.status, heard.error["code"]) == (status, "endpoint_not_supported")

    play(tmp_path, story)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_body_that_is_compressed_is_refused_by_the_header_s_name(tmp_path, coding):
    async def story(gateway, simulator):
        heard = await hear(gateway, None, {"content-encoding": coding})
        assert (heard.status, heard.error["param"]) == (400, "content-encoding")
        assert "`content-encoding`" in heard.error["message"]
        assert (await hear(gateway, None, {"content-encoding": "Identity"})).status == 200

    play(tmp_path, story, GOOD)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'{"model":"voice"}', "messages"),
        (b'{"model":"voice","messages":[]}', "messages"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "model"),
        (b'{"model":"voice","messages":[{"role":"user","content":"x"}],"prompt":{"id":"p"}}', "prompt"),
    ],
)
def test_a_body_that_is_no_call_is_the_caller_s_400(tmp_path, body, says):
    async def story(gateway, simulator):
        heard = await send(gateway, request(body))
        assert (heard.status, heard.error["code"]) == (400, "invalid_request")
        assert heard.error["type"] == "invalid_request_error"
        assert says in heard.error["message"].lower()
        assert heard.headers["x-trunkline-call"]

    play(tmp_path, story)
