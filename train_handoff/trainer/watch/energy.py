"""Energy and CO2 equivalent by the formula of the LLaMA paper (arXiv:2302.13971, section 6)."""

from __future__ import annotations

import time
from dataclasses import dataclass

# Thermal design power in W, by what the device's name holds; the more specific names first. The paper takes 400 for its
# A100-80GB. A device that is not listed has none rather than a guessed one.
DEVICE_WATTS = {
    "A100 80GB PCIe": 300.0,
    "A100-PCIE-40GB": 250.0,
    "A100-SXM": 400.0,
    "H100 PCIe": 350.0,
    "H100 NVL": 400.0,
    "H100": 700.0,
    "H200 NVL": 600.0,
    "H200": 700.0,
    "B200": 1000.0,
    "MI300X": 750.0,
}


def watts_of(name: str) -> float | None:
    """Watts of a device by its name, None when it is not known."""
    return next((watts for key, watts in DEVICE_WATTS.items() if key in name), None)


def kilowatt_hours(device_hours: float, watts: float, pue: float) -> float:
    """Energy of devices that draw ``watts`` for so many hours together, in a building of that power usage."""
    return device_hours * watts * pue / 1000


@dataclass(frozen=True)
class Spent:
    """Hours of all devices together, and the energy in kWh of those whose watts are known (None: of none)."""

    device_hours: float = 0.0
    kwh: float | None = None


class Energy:
    """What a run has spent: ``before`` by other processes, and since this object was made by ``devices`` of ``watts``.

    Counts the time that passes, with loading, saving and validating.
    """

    def __init__(self, before: Spent, *, devices: int, watts: float | None, pue: float, kg_per_kwh: float) -> None:
        self.before = before
        self.devices = devices
        self.watts = watts
        self.pue = pue
        self.kg_per_kwh = kg_per_kwh
        self._started = time.monotonic()

    def now(self) -> dict[str, float]:
        """``device_hours``, and where watts are known ``energy_kwh`` and ``co2e_kg``."""
        hours = self.devices * (time.monotonic() - self._started) / 3600
        found = {"device_hours": self.before.device_hours + hours}
        own = None if self.watts is None else kilowatt_hours(hours, self.watts, self.pue)
        if own is not None or self.before.kwh is not None:
            found["energy_kwh"] = (self.before.kwh or 0.0) + (own or 0.0)
            found["co2e_kg"] = found["energy_kwh"] * self.kg_per_kwh
        return found
