"""The page about the simulator is true: its snippets run, its tables are complete."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from trunkline.simulator import Fault, Script, load_scripts

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_its_python_runs(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


@pytest.mark.parametrize("text", blocks("json"))
def test_its_json_is_a_script_file(text):
    assert load_scripts(text.encode()).openai is not None


def test_it_names_every_field_of_a_script():
    table = PAGE.partition("## Scripts")[2].partition("## Faults")[0]
    assert [name for name in Script.__struct_fields__ if f"`{name}`" not in table] == []


def test_it_names_every_fault_with_its_kind():
    table = PAGE.partition("## Faults")[2]
    for fault in get_args(Fault):
        assert f"`{fault.__name__}`, `{msgspec.inspect.type_info(fault).tag}`" in table
