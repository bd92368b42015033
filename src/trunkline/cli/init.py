"""`trunkline init`: a configuration that works, and the keys for it, without a choice to make."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed

ENVIRONMENT = ".env"
PRIVATE = 0o600
# 32 random bytes are 64 hexadecimal digits.
SECRET_BYTES = 32
# provider -> the variable with its key, and the model to begin with.
PROVIDERS = {
    "openai": ("OPENAI_API_KEY", "gpt-4o-mini"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-haiku-4-5"),
}

CONFIGURATION = """\
# Written by `trunkline init`. `trunkline check` says what is wrong with a change, `trunkline apply` puts it in force.
version: 1
node: gw-1
data_dir: ./trunkline-data
listen: 127.0.0.1:8080
console: {{listen: 127.0.0.1:8081, admin_token: "${{TRUNKLINE_ADMIN_TOKEN}}"}}

providers:
{providers}
routes:
  assistant:
    targets:
{targets}
tenants:
  my-company:
    keys:
      my-app: {{secret: "${{MY_APP_KEY}}", routes: [assistant]}}
"""

NEXT = """\
{written} written. Next, in {where}:

{before}set -a; . ./{env}; set +a
trunkline serve{option}

and in another terminal, in {where}:

. ./{env}
curl http://127.0.0.1:8080/v1/chat/completions \\
  -H "authorization: Bearer $MY_APP_KEY" -H "content-type: application/json" \\
  -d '{{"model": "assistant", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
"""


def command(
    config: Annotated[
        str, typer.Option("--config", "-c", metavar="FILE", help="Where to write the configuration.")
    ] = DEFAULT_CONFIG,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER",
            help="openai or anthropic; repeat it for both. Without: whose key is in the environment, else openai.",
        ),
    ] = None,
) -> None:
    """Write a working configuration and, beside it, `.env` with fresh keys, and say what is next."""
    names = _chosen(provider)
    path = Path(config)
    environment = path.with_name(ENVIRONMENT)
    for file in (path, environment):
        if os.path.lexists(file):
            raise Failed(f"{file} is there already, and is not overwritten; move it, or begin in another directory")
    absent = [variable for variable, _ in (PROVIDERS[name] for name in names) if not os.environ.get(variable)]
    _write(environment, _secrets(absent))
    _write(path, _configuration(names))
    fill_in = "".join(f"# first write your key into {ENVIRONMENT}, after {variable}=\n" for variable in absent)
    option = "" if path.name == Path(DEFAULT_CONFIG).name else f" -c {path.name}"
    where = "this directory" if path.parent == Path() else str(path.parent)
    written = f"{path} and {environment}"
    sys.stdout.write(NEXT.format(written=written, where=where, before=fill_in, env=ENVIRONMENT, option=option))


def _chosen(asked: list[str] | None) -> list[str]:
    for name in asked or ():
        if name not in PROVIDERS:
            raise typer.BadParameter(f"{name} is none of: {', '.join(PROVIDERS)}.", param_hint="--provider")
    known = [name for name, (variable, _) in PROVIDERS.items() if os.environ.get(variable)]
    return list(dict.fromkeys(asked or known or ["openai"]))


def _configuration(names: list[str]) -> str:
    providers, targets = [], []
    for name in names:
        variable, model = PROVIDERS[name]
        providers.append(f'  {name}: {{dialect: {name}, api_key: "${{{variable}}}", models: [{model}]}}\n')
        targets.append(f"      - {{provider: {name}, model: {model}}}\n")
    return CONFIGURATION.format(providers="".join(providers), targets="".join(targets))


def _secrets(absent: list[str]) -> str:
    lines = ["# Written by `trunkline init`: keep it out of version control.\n"]
    lines += [f"{name}={secrets.token_hex(SECRET_BYTES)}\n" for name in ("TRUNKLINE_ADMIN_TOKEN", "MY_APP_KEY")]
    return "".join(lines + [f"{variable}=\n" for variable in absent])


def _write(path: Path, text: str) -> None:
    """Write a file for its owner's eyes that is not there yet; nothing that came in between is overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
