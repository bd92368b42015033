"""A worker says what nobody else can see of it."""

from gateway.running import play
from trunkline.channel.messages import Report
from trunkline.gateway import worker


def test_a_worker_reports_breakers_rests_and_flushes(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "REPORT_EVERY", 0.0)

    async def story(gateway, simulator):
        await gateway.ask()
        while True:
            report = await gateway.told(Report)
            if report.breakers and report.in_flight == 0:  # a busy machine reports the call itself too
                break
        assert report.breakers["first/gpt-4o-mini"] == "closed"
        assert report.resting == ()
        assert sum(report.flushes) > 0
        assert report.flush_seconds > 0

    play(tmp_path, story)
