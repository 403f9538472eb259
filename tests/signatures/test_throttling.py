"""Throttling, from packets to verdicts: who is slowed, who is only slow, and whose limit it is."""

import re

import pytest

from analyzer.engine import Analysis
from analyzer.result import ACCUSING, CaptureInfo
from analyzer.signature import Loaded
from signatures import throttling
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Jitter, Loss, Policer, Queue
from tests.analyzer.limiter.through import answer, found
from tests.conversation import Names
from tests.oracle import policing

BOTH_ENDS = pytest.mark.parametrize("capture", ["client", "server"])
TARGET, OTHERS = "203.0.113.7", ("192.0.2.9", "198.51.100.4", "192.0.2.77")
LINE = 2_500_000


class Scene:
    """A client with one target and, in the same minute, downloads of others; `line` is what all of them pass."""

    def __init__(self, capture="client", line=None, rtt=0.08):
        self.net = Network(rtt, capture=capture)
        self.line = line or [Queue(LINE, 250_000)]

    def target(self, *path, size=800_000, times=2, every=3.0, up=False, **how):
        move = self.net.upload if up else self.net.download
        for k in range(times):
            move(size, [*self.line, *path], at=0.5 + every * k, server=TARGET, **how)
        return self

    def others(self, size=500_000, up=False, every=5.0, times=2, **how):
        move = self.net.upload if up else self.net.download
        for k in range(times):
            for i, server in enumerate(OTHERS):
                move(size, self.line, at=1.0 + i + every * k, server=server, **how)
        return self

    def answer(self, until=30.0):
        return answer(self.net, until)


def states(result):
    return {verdict.target: verdict.state for verdict in result.answers}


def accused(result):
    return {verdict.target for verdict in result.answers if verdict.state in ACCUSING}


def method(result):
    (named,) = next(verdict for verdict in result.answers if verdict.target == TARGET).methods
    return named


class TestPolicing:
    @BOTH_ENDS
    @pytest.mark.parametrize(("kbps", "depth"), [(150, 30_000), (512, 50_000), (2000, 100_000)])
    def test_a_policed_service_beside_faster_ones_is_throttled(self, capture, kbps, depth):
        """Each flow has a bucket of its own."""
        scene = Scene(capture, rtt=0.12)
        for k in range(2):
            path = [*scene.line, Policer(kbps * 125, depth)]
            scene.net.download(kbps * 125 * 20 + depth, path, at=0.5 + 3 * k, server=TARGET, bbr=True)
        result = scene.others().answer()
        assert states(result)[TARGET] == "throttled"
        assert accused(result) == {TARGET}
        named = method(result)
        assert (named.method.action, named.method.position) == ("police", "in_path")
        assert named.rate_kbps == pytest.approx(kbps, rel=0.05)
        assert named.bucket_bytes == pytest.approx(depth, rel=0.15)
        assert len(named.flows) == 2

    @BOTH_ENDS
    def test_without_anything_beside_it_the_cause_stays_unknown(self, capture):
        result = Scene(capture).target(Policer(64_000, 50_000)).answer()
        assert states(result)[TARGET] == "likely_throttled"
        assert "slower_than_controls" not in found(result)

    @BOTH_ENDS
    def test_a_plan_that_limits_everything_accuses_nobody(self, capture):
        """One bucket for all flows of the client."""
        scene = Scene(capture, line=[Queue(LINE, 250_000), Policer(64_000, 60_000)])
        result = scene.target(size=600_000).others(size=300_000).answer(60.0)
        assert accused(result) == set()
        assert "slower_than_controls" not in found(result)

    @BOTH_ENDS
    def test_the_same_limit_one_after_the_other_is_the_plans(self, capture):
        """Never at the same time, but each runs into the same rate."""
        scene = Scene(capture, line=[Queue(LINE, 250_000), Policer(64_000, 40_000)])
        for k, server in enumerate((TARGET, OTHERS[0], TARGET, OTHERS[1])):
            scene.net.download(900_000, scene.line, at=0.5 + 16 * k, server=server, bbr=True)
        result = scene.answer(70.0)
        assert "shared_by_all" in found(result)
        assert accused(result) == set()
        assert result.network.state == "all_slow"

    def test_flows_behind_one_policer_are_found_together(self):
        shared = Policer(64_000, 50_000)
        scene = Scene("server")
        for k in range(3):
            scene.net.download(600_000, [*scene.line, shared], at=0.5 + k, server=TARGET)
        result = scene.others().answer()
        finding = found(result)["policer_bucket"]
        pooled = next(f for f in result.findings if len(f.flows) > 1)
        assert len(pooled.flows) == 3
        assert pooled.measured["rate_kbps"] == pytest.approx(512, rel=0.03)
        assert states(result)[TARGET] == "throttled"
        assert {witness.role for witness in pooled.witnesses} == {"resent"}
        assert finding.rule.action == "police"

    @BOTH_ENDS
    def test_flows_that_either_end_opened_are_one_load_on_the_way_between_them(self, capture):
        """A transfer that the server opened takes its share of the client's downloads: neither fits alone."""
        shared = Policer(64_000, 50_000)
        scene = Scene(capture)
        for at, by_server in ((0.5, False), (1.0, True), (1.5, True)):
            path = [*scene.line, shared]
            scene.net.download(1_500_000, path, at=at, server=TARGET, by_server=by_server)
        result = scene.answer(70.0)
        pooled = next(f for f in result.findings if len(f.flows) == 3)
        assert pooled.rule.id == "throttle.policer_bucket"
        assert pooled.measured["rate_kbps"] == pytest.approx(512, rel=0.03)
        assert pooled.measured["bucket_bytes"] == pytest.approx(50_000, rel=0.1)
        assert states(result)[TARGET] == "likely_throttled"

    @BOTH_ENDS
    def test_a_line_that_either_end_fills_is_no_policer(self, capture):
        scene = Scene(capture, line=[Queue(64_000, 60_000)])
        for at, by_server in ((0.5, False), (1.0, True)):
            scene.net.download(1_000_000, scene.line, at=at, server=TARGET, by_server=by_server)
        assert accused(scene.answer(60.0)) == set()

    @BOTH_ENDS
    def test_uploads_too(self, capture):
        scene = Scene(capture).target(Policer(64_000, 50_000), up=True, times=1, size=1_000_000)
        result = scene.others(up=True).answer()
        assert states(result)[TARGET] == "throttled"
        assert found(result)["policer_bucket"].measured["direction"] == "up"

    @BOTH_ENDS
    def test_a_limit_that_begins_later_is_found_with_its_rate(self, capture):
        scene = Scene(capture).target(Policer(64_000, 50_000, after=6.0), times=1, size=2_500_000, app_rate=250_000)
        result = scene.others().answer()
        assert states(result)[TARGET] == "throttled"
        assert method(result).rate_kbps == pytest.approx(512, rel=0.05)
        onset = (method(result).onset - result.capture.start) / 1e9
        assert 5.0 < onset < 8.0


class TestShaping:
    @BOTH_ENDS
    @pytest.mark.parametrize(("kbps", "queue"), [(150, 60_000), (512, 60_000), (2000, 200_000)])
    def test_a_queue_of_its_own_beside_faster_flows_is_a_shaper(self, capture, kbps, queue):
        scene = Scene(capture)
        for k in range(2):
            path = [*scene.line, Queue(kbps * 125, queue)]
            scene.net.download(kbps * 125 * 15, path, at=0.5 + 3 * k, server=TARGET)
        result = scene.others().answer()
        assert states(result)[TARGET] == "throttled"
        assert accused(result) == {TARGET}
        assert method(result).method.action == "shape"
        assert method(result).rate_kbps == pytest.approx(kbps, rel=0.05)

    @BOTH_ENDS
    def test_alone_a_queue_is_any_bottlenecks(self, capture):
        result = Scene(capture).target(Queue(64_000, 60_000)).answer()
        assert "shaper_queue" in found(result)
        assert accused(result) == set()

    @BOTH_ENDS
    @pytest.mark.parametrize("queue", [15_000, 60_000, 500_000])
    def test_a_queue_that_all_share_is_the_line(self, capture, queue):
        result = Scene(capture, line=[Queue(125_000, queue)]).target().others().answer(60.0)
        assert accused(result) == set()


class TestOrdinarySlowness:
    """Nothing limits the target here but itself, its server or the air; others are fast."""

    @BOTH_ENDS
    @pytest.mark.parametrize(
        "how",
        [
            {"app_rate": 40_000}, {"app_rate": 40_000, "chunk": 30_000}, {"paced": 40_000}, {"window": 4_000},
            {"think": 4.0}, {"app_rate": 40_000, "bbr": True},
        ],
        ids=["application", "pieces", "paced", "window", "slow-server", "application-bbr"],
    )  # fmt: skip
    @pytest.mark.parametrize("line", ["clean", "lossy", "bloated"])
    def test_demand_is_missing(self, capture, how, line):
        lines = {
            "clean": [Queue(LINE, 250_000)],
            "lossy": [Queue(LINE, 250_000), Loss(0.02, 5)],
            "bloated": [Queue(250_000, 250_000)],
        }
        result = Scene(capture, line=lines[line]).target(size=700_000, **how).others().answer()
        assert accused(result) == set()

    @BOTH_ENDS
    @pytest.mark.parametrize("seed", range(3))
    def test_radio(self, capture, seed):
        line = [Queue(1_000_000, 150_000), Loss(0.03, seed, burst=5), Jitter(0.02, seed, 0.3)]
        assert accused(Scene(capture, line=line).target().others().answer()) == set()

    @BOTH_ENDS
    def test_a_far_server(self, capture):
        """Four times as far, window-limited, over the same line."""
        result = Scene(capture).target(size=500_000, window=16_000, rtt=0.3).others().answer()
        assert accused(result) == set()

    @BOTH_ENDS
    def test_a_small_chat_asks_for_nothing(self, capture):
        result = Scene(capture).target(Policer(64_000, 50_000), size=20_000).others().answer()
        assert accused(result) == set()


class TestLoss:
    @BOTH_ENDS
    @pytest.mark.parametrize("share", [0.06, 0.15])
    def test_losses_of_one_service_beside_clean_ones(self, capture, share):
        result = Scene(capture).target(Loss(share, 3), size=400_000, times=3).others().answer()
        assert states(result)[TARGET] == "likely_throttled"
        assert method(result).method.action == "random_loss"
        assert found(result)["more_loss_than_controls"].measured["p"] <= 1e-2

    @BOTH_ENDS
    @pytest.mark.parametrize("share", [0.06, 0.15])
    def test_losses_of_everybody(self, capture, share):
        line = [Queue(LINE, 250_000), Loss(share, 3)]
        result = Scene(capture, line=line).target(size=400_000, times=3).others().answer(60.0)
        assert "more_loss_than_controls" not in found(result)
        assert accused(result) == set()

    def test_losses_on_a_far_longer_way(self):
        """The controls are near: that says nothing of the way to a far server."""
        scene = Scene().target(Loss(0.1, 3), size=400_000, times=3, rtt=0.25).others()
        assert "more_loss_than_controls" not in found(scene.answer())


class TestCrawling:
    def test_hundreds_of_bytes_a_second_beside_ordinary_transfers(self):
        """TSPU's SNI-III of 2022: 650 bytes a second, each flow by itself.

        This sender repeats one packet until it passes, so nothing seems lost at the client; real ones probe further on.
        """
        scene = Scene("server")
        for k in range(3):
            scene.net.download(20_000, [*scene.line, Policer(650, 3000)], at=0.5 + 4 * k, server=TARGET)
        result = scene.others(size=300_000).answer(45.0)
        assert states(result)[TARGET] == "likely_throttled"
        assert method(result).method.action == "police"
        assert accused(result) == {TARGET}

    @BOTH_ENDS
    def test_when_all_crawl_it_is_the_line(self, capture):
        scene = Scene(capture, line=[Policer(3000, 6000)])
        result = scene.target(size=20_000, times=3).others(size=20_000).answer(60.0)
        assert "crawls" not in found(result)
        assert accused(result) == set()

    @BOTH_ENDS
    def test_a_chat_that_says_little_does_not_crawl(self, capture):
        scene = Scene(capture).target(size=20_000, times=3, app_rate=700).others()
        assert "crawls" not in found(scene.answer(45.0))


class TestAcknowledgments:
    def test_at_the_server_the_clients_counter_shows_what_never_came(self):
        scene = Scene("server").target(return_path=[Loss(0.7, 3)], size=6_000_000).others()
        finding = found(scene.answer())["acks_missing"]
        assert finding.measured["missing_share"] == pytest.approx(0.7, abs=0.15)
        assert finding.method.action == "ack_drop"

    def test_an_ordinary_uplink(self):
        assert "acks_missing" not in found(
            Scene("server").target(return_path=[Loss(0.03, 3)], size=6_000_000).others().answer()
        )

    def test_at_the_client_the_server_repeats_what_was_acknowledged(self):
        scene = Scene("client").target(return_path=[Loss(0.8, 3)], size=200_000, times=3)
        result = scene.others().answer()
        assert "acks_unheard" in found(result)
        assert accused(result) == {TARGET}
        assert method(result).method.action == "ack_drop"

    def test_at_the_client_an_uplink_that_loses_everybodys(self):
        """The same loss for all."""
        scene = Scene("client")
        for k, server in enumerate((TARGET, *OTHERS, TARGET, *OTHERS)):
            scene.net.download(200_000, scene.line, at=0.5 + k, server=server, return_path=[Loss(0.8, k)])
        assert accused(scene.answer()) == set()


def test_live_is_offline():
    """Snapshots on the way change nothing of the end, and two runs are alike."""
    frames = Scene().target(Policer(64_000, 50_000)).others().net.run(30.0)

    def ending(asked):
        analysis = Analysis(Loaded((throttling,), Names(), "x", "x"))
        analysis.feed(frames)
        for _ in range(asked):
            analysis.snapshot(CaptureInfo("emulated"))
        return analysis.finish(CaptureInfo("emulated"))

    first = ending(0)
    assert first.findings
    assert ending(2).findings == first.findings
    assert ending(0).answers == first.answers


@pytest.fixture(scope="module")
def study(real_captures):
    """The open captures of the SIGCOMM 2016 study."""
    return list(policing.traces(real_captures))


def test_more_policed_traces_are_found_than_by_the_studys_own_detector(study):
    """Nine of eleven for theirs; the other two have cross traffic behind the same policer."""
    scored = [one for one in study if one.police and one.scored]
    assert len(scored) == 11
    assert sum(bool(one.theirs) for one in scored) == 9
    assert [one.name for one in scored if not one.policed] == []


def test_rates_and_buckets_are_those_of_the_traces(study):
    """Names hold both; the policer counted Ethernet frames with their checksum (1518 for 1500 bytes of IP)."""
    for one in study:
        what = re.match(r"police-(\d+)k-burst(\d+)", one.name)
        if what and one.scored:
            rate, depth = int(what[1]) * 1500 / 1518, int(what[2])
            assert one.rate_kbps == pytest.approx(rate, rel=0.05)
            if depth > 8000:  # less than the windows of these flows, which cannot use it up
                assert one.bucket_bytes == pytest.approx(depth, rel=0.06)


def test_no_shaped_lossy_or_clean_trace_of_the_study_is_called_policed(study):
    others = [one for one in study if not one.police]
    assert len(others) >= 16
    assert [one.name for one in others if one.accused] == []
