"""`trunkline audit retention` on logs that are old enough, without a gateway and with one."""

import json

from running_gateway import command, gateway

from audit.proven import NODE, OWN, Place
from trunkline.audit.files.segments import segments_of
from trunkline.model.ids import prefix_of, uuid7

# The calls are of September 2026: a month and a day later they have expired, whenever this runs.
FILE = """\
version: 1
data_dir: ./data
node: gw-1
listen: 127.0.0.1:0
log: {format: json}
audit: {retention: 30d}
providers:
  openai: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-one, models: [gpt-4o-mini]}
routes:
  fast: {targets: [{provider: openai, model: gpt-4o-mini}]}
tenants:
  harbor: {keys: {app: {secret: 9f3c5a7be1d24860c7f2a9d83b6e4f10}}}
"""


def old_logs(directory):
    place = Place(directory / "data")
    place.open(OWN)
    place.open("worker-0")
    first = prefix_of(place.clock.now // 1_000_000)
    for part in range(10):
        place.calls("worker-0", *(uuid7(first, f"{100 * part + number:019x}") for number in range(60)))
        place.clock.later(1)
    place.end()
    (directory / "trunkline.yaml").write_text(FILE)
    return place


def listed(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def retention(run, *words):
    return run("audit", "retention", "--format", "json", *words)


def test_it_lists_first_and_deletes_when_asked(tmp_path):
    place = old_logs(tmp_path)
    before = segments_of(place.log("worker-0"))
    run = lambda *words: command(tmp_path, *words)  # noqa: E731
    (row,) = listed(retention(run))
    assert (row["log"], row["first"], row["tenants"]) == (f"{NODE}/worker-0", 0, ["harbor"])
    assert segments_of(place.log("worker-0")) == before
    applied = retention(run, "--apply")
    rows = listed(applied)
    assert sum(row["segments"] for row in rows) == len(before) - 2
    assert rows[0]["last"] + 1 == rows[1]["first"]
    assert applied.stderr.startswith("deleted 16 segments with ")
    assert segments_of(place.log("worker-0")) == before[-2:]
    (row,) = listed(retention(run))
    assert (row["segments"], row["kept_by"]) == (0, [])
    assert command(tmp_path, "audit", "verify").returncode != 1


def test_a_running_gateway_does_it_unless_a_hold_keeps_it(tmp_path):
    place = old_logs(tmp_path)
    with gateway(tmp_path) as running:
        hold = running.command("audit", "hold", "place", "--tenant", "harbor", "--reason", "case 17").stdout.split()[0]
        (row,) = [row for row in listed(retention(running.command)) if row["log"].endswith("worker-0")]
        assert (row["segments"], row["kept_by"]) == (0, [hold])
        assert listed(retention(running.command, "--apply")) == []
        assert running.command("audit", "hold", "release", hold, "--reason", "over").returncode == 0
        assert listed(retention(running.command, "--apply"))[0]["segments"] == 16
        assert running.until("log_expired")["segments"] == 16
    assert len(segments_of(place.log("worker-0"))) == 2
