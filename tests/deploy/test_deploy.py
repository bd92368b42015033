"""The files in deploy/ are what they claim to be, and agree with the gateway's own times, paths and names."""

import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import trunkline
from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.sources import Sources
from trunkline.config.units import seconds
from trunkline.model.snapshot import Server
from trunkline.supervisor.supervisor import DRAIN_GRACE, LAST_WORDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
STATE, CONFIGURATION = "/var/lib/trunkline", "/etc/trunkline/trunkline.yaml"
# What comes after a drain at most, control's own end included.
AFTER_DRAIN = DRAIN_GRACE + 4 * LAST_WORDS
STRONG = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd"
OTHER = "df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c"

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(
    r"^([A-Z]+) +(.+)$", re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)), re.MULTILINE
)
FINAL = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


def of(name: str) -> list[str]:
    return [value for found, value in FINAL if found == name]


def objects() -> dict[str, dict]:
    found = list(YAML(typ="safe").load_all((DEPLOY / "kubernetes.yaml").read_text()))
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


KUBERNETES = objects()
SET = KUBERNETES["StatefulSet/trunkline"]["spec"]
POD = SET["template"]["spec"]
(CONTAINER,) = POD["containers"]


def configured() -> Compiled:
    secret = KUBERNETES["Secret/trunkline"]["stringData"]
    values = dict(zip(secret, ("sk-x", STRONG, OTHER), strict=True)) | {"POD_NAME": "trunkline-0"}
    text = KUBERNETES["ConfigMap/trunkline"]["data"]["trunkline.yaml"]
    return load(text, "trunkline.yaml", Sources(values, lambda _: "", "host", 1.8e9))


# The image


def test_the_image_runs_the_gateway_as_nobody_in_particular_on_a_volume():
    assert of("USER") == ["10001:10001"]
    assert of("WORKDIR") == of("VOLUME") == [STATE]
    assert of("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(of("ENTRYPOINT")[0]) + json.loads(of("CMD")[0]) == ["trunkline", "serve", "-c", CONFIGURATION]
    assert f":{configured().snapshot.listen.rpartition(':')[2]}/healthz" in of("HEALTHCHECK")[0]
    assert of("EXPOSE") == ["8080"]


def test_the_state_of_the_image_is_its_owners_alone():
    (made,) = of("RUN")
    assert f"install --directory --owner=10001 --group=10001 --mode=0700 {STATE}" in made


def test_the_image_copies_what_exists_and_what_is_not_ignored():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    for name, value in INSTRUCTIONS:
        if name == "COPY" and not value.startswith("--from"):
            *sources, _ = value.split()
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_the_image_installs_the_versions_that_were_tested_and_only_by_their_hashes():
    def pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
        blocks = re.split(r"\n(?=\S)", path.read_text().strip())
        named = {block.partition("==")[0]: block for block in blocks}
        return {
            name: (block.split()[0], frozenset(re.findall(r"sha256:[0-9a-f]{64}", block)))
            for name, block in named.items()
        }

    ours, all_of_them = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert ours.items() <= all_of_them.items()
    project = (ROOT / "pyproject.toml").read_text().partition("dependencies = [")[2].partition("]")[0]
    needed = {name.lower().replace(".", "-") for name in re.findall(r'^ +"([A-Za-z0-9._-]+)', project, re.MULTILINE)}
    assert needed <= ours.keys()
    assert {"pytest", "mypy", "ruff"}.isdisjoint(ours)
    installs = [value for name, value in INSTRUCTIONS if name == "RUN" and "pip install" in value]
    assert "--no-deps --require-hashes --requirement requirements.lock" in installs[0]
    assert all("--no-deps" in value for value in installs)


def test_both_stages_have_the_python_that_the_package_needs():
    images = {value.split()[0] for name, value in INSTRUCTIONS if name == "FROM"}
    assert images == {"python:3.11-slim-bookworm"}
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


# Kubernetes


def test_the_configuration_in_the_map_is_good_and_all_that_it_refers_to_is_in_the_secret():
    found = configured()
    assert found.snapshot.node == "trunkline-0"
    assert found.notes == ()
    assert str(found.data_dir).startswith(f"{STATE}/")
    assert found.console is not None
    assert found.console.listen.startswith("127.0.0.1:")
    assert all(value == "" for value in KUBERNETES["Secret/trunkline"]["stringData"].values())


def test_the_pod_gets_longer_than_its_drain():
    drain = configured().snapshot.server.drain
    assert drain == Server().drain
    before = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > before + drain + AFTER_DRAIN


def test_each_replica_has_a_volume_of_its_own_at_the_gateways_state():
    (claim,) = SET["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == STATE
    assert f"{mounts['configuration']}/trunkline.yaml" == CONFIGURATION
    assert CONTAINER["args"] == ["serve", "-c", CONFIGURATION]


def test_the_pod_may_do_nothing_that_it_need_not():
    assert POD["securityContext"]["runAsUser"] == POD["securityContext"]["fsGroup"] == 10001
    assert POD["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert CONTAINER["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert CONTAINER["image"] == f"trunkline:{trunkline.__version__}"


def test_probes_and_services_name_the_gateways_port_and_paths():
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == int(configured().snapshot.listen.rpartition(":")[2])
    source = (ROOT / "src/trunkline/gateway/endpoints.py").read_text()
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert CONTAINER[probe]["httpGet"]["port"] == port["name"]
        assert f'"{CONTAINER[probe]["httpGet"]["path"]}"' in source
    for name in ("Service/trunkline", "Service/trunkline-pods"):
        spec = KUBERNETES[name]["spec"]
        assert spec["selector"] == SET["selector"]["matchLabels"] == SET["template"]["metadata"]["labels"]
        assert spec["ports"][0]["targetPort"] == port["name"]
    assert SET["serviceName"] == "trunkline-pods"


# systemd


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#", strict=True)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string((DEPLOY / "trunkline.service").read_text())
    return parser


def test_the_unit_drains_the_supervisor_alone_and_waits_for_it():
    service = unit()["Service"]
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > Server().drain + AFTER_DRAIN
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["ExecStart"].endswith(f"trunkline serve -c {CONFIGURATION}")
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}" == STATE
    assert service["StateDirectoryMode"] == "0700"
    assert int(service["LimitNOFILE"]) > 2 * Server().max_connections


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_systemd_takes_the_unit(tmp_path):
    text = (DEPLOY / "trunkline.service").read_text().replace("/opt/trunkline/bin/trunkline", "/bin/true")
    path = tmp_path / "trunkline.service"
    path.write_text(text)
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    # It may lack the machine's other units; about this one it has to be silent.
    assert [line for line in checked.stderr.splitlines() if "trunkline.service" in line] == []


def test_the_page_says_how_long_to_wait():
    text = (ROOT / "docs" / "operations.md").read_text()
    said = re.search(r"wait for\n?\s*`server\.drain` and (\d+) seconds more", text)
    assert said is not None
    assert AFTER_DRAIN < seconds(f"{said[1]}s") <= float(unit()["Service"]["TimeoutStopSec"]) - Server().drain
