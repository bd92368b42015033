from config_samples import GOOD, compiled


def test_a_file_that_asks_for_nothing_in_vain_has_no_notes():
    assert compiled(GOOD).notes == ()
    same = GOOD.replace("harbor:\n", "harbor:\n    regulated: false\n    time_zone: UTC\n")
    assert compiled(same.replace("gpt-4o}]", "gpt-4o}], instead_of_error: {unavailable: Hold on.}")).notes == ()


def test_a_setting_of_a_tenant_that_has_no_effect_is_named():
    text = GOOD.replace("harbor:\n", "harbor:\n    regulated: true\n")
    assert compiled(text).notes == ("tenants.harbor.regulated has no effect in this version",)


def test_workers_that_would_share_a_core_are_named():
    assert compiled(GOOD + "workers: 4\n").notes == ()
    assert compiled(GOOD + "workers: 5\n").notes == ("workers is 5, and there are 4 cores: more carry no more",)


def test_weights_and_stickiness_on_a_route_by_priority_are_said_to_have_no_effect():
    text = GOOD.replace("gpt-4o}]", "gpt-4o, weight: 2}], sticky: user")
    assert compiled(text).notes == (
        "routes.voice.sticky has no effect on a route by priority",
        "routes.voice.targets[0].weight has no effect on a route by priority",
    )
    weighted = text.replace("sticky: user", "sticky: user, strategy: weighted")
    assert compiled(weighted).notes == ()
