"""Energy: a figure for every piece of work, that says how it was found."""

import os
import socket
import threading
import time

import pytest

from artlab import energy
from artlab.energy import EnergyError, Meter


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def settled() -> None:
    """Wait for trackers still starting in the background, so that they don't run into other tests."""
    for thread in threading.enumerate():
        if thread.name == "energy":
            thread.join(60)


@pytest.fixture(autouse=True)
def _settled():
    yield
    settled()


class FakeReading:
    """A tracker that has seen what a test wants it to have seen."""

    reading: energy._Reading | None = None

    def __init__(self, country: str) -> None:
        pass

    def stop(self):
        return self.reading


def test_short_work_is_estimated_from_processor_time():
    with energy.measure("DEU") as meter:
        burn(0.2)
    assert 0.15 < meter.cpu_seconds < 5
    assert meter.seconds > 0.1
    assert meter.joules == pytest.approx(meter.cpu_seconds * energy.WATTS_PER_THREAD)
    assert meter.how.startswith("estimated: ")
    assert f"of {os.cpu_count()} threads" in meter.how


def test_codecarbon_reads_offline_and_leaves_no_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    tried = []
    monkeypatch.setattr(socket.socket, "connect", lambda *args: tried.append(args))
    with energy.measure("FRA") as meter:
        settled()
        time.sleep(0.1)
        elapsed = meter
    assert elapsed.joules > 0
    assert set(tmp_path.iterdir()) == before
    assert tried == []
    assert capfd.readouterr() == ("", "")


def test_codecarbons_figure_is_taken_and_stretched_over_its_own_start(monkeypatch):
    monkeypatch.setattr(FakeReading, "reading", energy._Reading(seconds=0.15, joules=30.0, how="measured by RAPL"))
    monkeypatch.setattr(energy, "_Tracker", FakeReading)
    with energy.measure() as meter:
        time.sleep(0.2)
    assert meter.how == "measured by RAPL"
    assert meter.joules == pytest.approx(30.0 * meter.seconds / 0.15)


@pytest.mark.parametrize("reading", [None, energy._Reading(0.001, 30.0, "x"), energy._Reading(9, 0.0, "x")])
def test_a_useless_reading_is_not_used(monkeypatch, reading):
    monkeypatch.setattr(FakeReading, "reading", reading)
    monkeypatch.setattr(energy, "_Tracker", FakeReading)
    with energy.measure() as meter:
        time.sleep(0.05)
    assert meter.how.startswith("estimated")


def test_a_codecarbon_that_fails_does_not_stop_the_work(monkeypatch):
    monkeypatch.setattr(energy, "_offline_tracker", lambda country: 1 / 0)
    with energy.measure() as meter:
        settled()
    assert meter.how.startswith("estimated")


def test_the_countrys_mix_makes_the_difference():
    clean, dirty = (Meter(country, joules=energy.JOULES_PER_KWH) for country in ("NOR", "POL"))
    assert energy._grams_per_kwh("NOR") < 60 < 500 < energy._grams_per_kwh("POL")
    assert clean.kwh == dirty.kwh == 1


@pytest.mark.parametrize("country", ["XXX", "de", ""])
def test_an_unknown_country_is_refused_by_name(country):
    with pytest.raises(EnergyError, match=f"“{country}”"), energy.measure(country):
        pytest.fail("the work began")


def test_work_that_fails_is_measured_and_its_error_passes():
    with pytest.raises(ZeroDivisionError), energy.measure() as meter:
        _ = 1 / 0
    assert meter.seconds > 0
    assert meter.how.startswith("estimated")


def test_summary_and_sentence():
    meter = Meter("DEU", joules=7200, co2_grams=0.76, seconds=400, cpu_seconds=700, how="measured by RAPL")
    assert meter.sentence() == "7 min, 2 Wh of electricity and 0.76 g of CO2 with the mix of Germany (measured by RAPL)."
    assert meter.summary()["kwh"] == 0.002
    assert set(meter.summary()) == {"joules", "kwh", "co2_grams", "seconds", "cpu_seconds", "country", "how"}


def test_work_under_way_has_an_estimate_by_processor_time():
    told = energy.so_far(energy.cpu_seconds() - 900, 450, "FRA")
    assert told["kwh"] == pytest.approx(900 * energy.WATTS_PER_THREAD / 3.6e6, rel=0.01)
    assert 0 < told["co2_grams"] < energy.so_far(energy.cpu_seconds() - 900, 450, "nowhere")["co2_grams"], (
        "France's mix is a clean one"
    )
    assert energy.so_far(energy.cpu_seconds() + 5, 1, "FRA")["joules"] == 0
