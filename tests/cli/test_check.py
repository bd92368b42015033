"""What `trunkline check`, and a start, say of a file that is good."""

from running_gateway import command, gateway, write_configuration

NOTE = "tenants.acme.regulated has no effect in this version"


def test_a_setting_without_effect_is_said_by_the_check_and_at_the_start(tmp_path):
    path = write_configuration(tmp_path)
    assert "note:" not in command(tmp_path, "check").stdout
    path.write_text(path.read_text().replace("acme: {", "acme: {regulated: true, "))
    checked = command(tmp_path, "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[1:] == [f"note: {NOTE}"]
    with gateway(tmp_path) as running:
        (said,) = [line for line in running.lines if '"without_effect"' in line]
    assert NOTE in said
