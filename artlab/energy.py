"""How much electricity a piece of work took, and the CO2 of that: measured where the machine can, else estimated.

Codecarbon reads RAPL (processor) and NVML (graphics card) where they are to be had and estimates from the load where not.
It works offline here: no network, no files. Where it can't, or the work is over before it is ready, processor time x watts
is the estimate. `Meter.how` says which it was.
"""

import importlib.util
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

# A processor's thermal design power over its threads: laptops 2-4 W, servers 3-6 W a thread.
WATTS_PER_THREAD = 4.0
WORLD_GRAMS_PER_KWH = 475.0
JOULES_PER_KWH = 3.6e6


class EnergyError(ValueError):
    """A country whose electricity mix is not known."""


@dataclass
class Meter:
    """What the work inside `measure` took; complete when the block is left.

    `seconds` is wall time, `cpu_seconds` the processor time of this process and of its children that have ended.
    """

    country: str
    joules: float = 0.0
    co2_grams: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    how: str = "not measured yet"

    @property
    def kwh(self) -> float:
        """The energy in kilowatt hours."""
        return self.joules / JOULES_PER_KWH

    def summary(self) -> dict[str, Any]:
        """What a style's card keeps."""
        return {
            "joules": round(self.joules, 1),
            "kwh": round(self.kwh, 9),
            "co2_grams": round(self.co2_grams, 6),
            "seconds": round(self.seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "country": self.country,
            "how": self.how,
        }

    def sentence(self) -> str:
        """The same in words."""
        used, emitted = _quantity(self.kwh * 1000, "Wh"), _quantity(self.co2_grams, "g")
        mix = _mixes()[self.country]["country_name"]
        return f"{_span(self.seconds)}, {used} of electricity and {emitted} of CO2 with the mix of {mix} ({self.how})."


@contextmanager
def measure(country: str = "DEU") -> Iterator[Meter]:
    """Measure the work inside the block. `country` is a three-letter ISO code; an unknown one raises EnergyError at once."""
    if country not in _mixes():
        raise EnergyError(
            f"The electricity mix of “{country}” is not known; give a three-letter ISO code such as DEU, FRA or USA."
        )
    meter = Meter(country)
    tracker = _Tracker(country)
    began, cpu_began = time.perf_counter(), cpu_seconds()
    try:
        yield meter
    finally:
        meter.seconds = time.perf_counter() - began
        meter.cpu_seconds = max(0.0, cpu_seconds() - cpu_began)
        reading = tracker.stop()
        meter.joules, meter.how = _joules(reading, meter)
        meter.co2_grams = meter.kwh * _grams_per_kwh(country)


def so_far(cpu_began: float, seconds: float, country: str) -> dict[str, Any]:
    """An estimate for work that goes on, by processor time alone, as `Meter.summary`; what a graphics card takes is not in it.

    `cpu_began` is what `cpu_seconds()` was when it began. An unknown country counts as the world's mean.
    """
    used = max(0.0, cpu_seconds() - cpu_began)
    meter = Meter(country, used * WATTS_PER_THREAD, seconds=seconds, cpu_seconds=used, how="estimated from processor time")
    meter.co2_grams = meter.kwh * (_grams_per_kwh(country) if country in _mixes() else WORLD_GRAMS_PER_KWH)
    return meter.summary()


@dataclass(frozen=True)
class _Reading:
    """What codecarbon saw: for how long, how much, and by which means."""

    seconds: float
    joules: float
    how: str


def _joules(reading: _Reading | None, meter: Meter) -> tuple[float, str]:
    """Energy and how it was found. What came before codecarbon was ready counts with the mean power of the rest."""
    if reading is None or reading.joules <= 0 or reading.seconds < 0.5 * meter.seconds:
        threads = os.cpu_count() or 1
        used = meter.cpu_seconds / max(meter.seconds, 1e-9)
        how = f"estimated: {min(used, threads):.1f} of {threads} threads busy, at {WATTS_PER_THREAD:g} W each"
        return meter.cpu_seconds * WATTS_PER_THREAD, how
    return reading.joules * max(1.0, meter.seconds / reading.seconds), reading.how


class _Tracker:
    """Codecarbon, started in the background: looking for sensors takes it seconds, which the work need not wait for."""

    def __init__(self, country: str) -> None:
        self._country = country
        self._tracker: Any = None
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        threading.Thread(target=self._start, daemon=True, name="energy").start()

    def _start(self) -> None:
        try:
            tracker = _offline_tracker(self._country)
            with self._lock:
                if self._given_up:
                    return
            tracker.start()
            self._tracker = tracker
        except Exception:  # whatever codecarbon stumbles over on a machine, the work goes on and the estimate stands in
            logging.getLogger(__name__).debug("codecarbon could not start", exc_info=True)
        finally:
            self._ready.set()
            if self._given_up:
                self._stop()

    def stop(self) -> _Reading | None:
        """The reading, or None if codecarbon never got going."""
        with self._lock:
            self._given_up = True
        return self._stop() if self._ready.is_set() else None

    def _stop(self) -> _Reading | None:
        tracker, self._tracker = self._tracker, None
        try:
            tracker.stop()
            data = tracker.final_emissions_data
            return _Reading(data.duration, data.energy_consumed * JOULES_PER_KWH, _how(tracker, data))
        except Exception:
            return None


def _offline_tracker(country: str) -> Any:
    logging.getLogger("codecarbon").disabled = True  # it logs at import, and its own option for that comes too late
    from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415 - slow, and needed for a training only

    return OfflineEmissionsTracker(
        country_iso_code=country,
        output_methods=[],
        emissions_endpoint=None,
        electricitymaps_api_token=None,
        log_level="critical",
        allow_multiple_runs=True,
        measure_power_secs=15,
        api_call_interval=-1,
        tracking_mode="process",
    )


def _how(tracker: Any, data: Any) -> str:
    """In words, by which means codecarbon got its figures."""
    modes = {str(getattr(part, "_mode", "")) for part in getattr(tracker, "_hardware", [])}
    sensors = [
        name
        for name, mode in (("RAPL", "intel_rapl"), ("Power Gadget", "intel_power_gadget"), ("powermetrics", "apple"))
        if mode in modes
    ]
    if data.gpu_count:
        sensors.append("NVML")
    watts = f"processor {data.cpu_power:.0f} W, memory {data.ram_power:.0f} W" + (
        f", GPU {data.gpu_power:.0f} W" if data.gpu_count else ""
    )
    if sensors == ["NVML"]:
        return f"GPU measured by NVML, processor and memory estimated by codecarbon ({watts})"
    if sensors:
        return f"measured by {'/'.join(sensors)} ({watts})"
    return f"estimated by codecarbon from the load of {os.cpu_count()} threads of {data.cpu_model or 'this processor'} ({watts})"


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _grams_per_kwh(country: str) -> float:
    return float(_mixes()[country].get("carbon_intensity") or WORLD_GRAMS_PER_KWH)


@lru_cache(maxsize=1)
def _mixes() -> dict[str, dict[str, Any]]:
    """Electricity mixes by country, from codecarbon's own data file; importing codecarbon for it would take half a second."""
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        raise EnergyError("codecarbon is missing: install artlab again with its dependencies.")
    path = Path(spec.submodule_search_locations[0]) / "data" / "private_infra" / "global_energy_mix.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _quantity(value: float, unit: str) -> str:
    if value >= 1000:
        return f"{value / 1000:.3g} k{unit}"
    return f"{value:.3g} {unit}" if value >= 0.001 else f"under 0.001 {unit}"
