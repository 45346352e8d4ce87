"""Build hook: brings the libraries of the player page in (see gateway/web/vendor.py) before the wheel is made.

Without npm, or without a network, the build warns and goes on; a wrong hash fails it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FetchLibraries(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its parameter open
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # By path: importing it as part of the package would need what is not installed yet.
        place = Path(self.root) / "gateway" / "web" / "vendor.py"
        spec = importlib.util.spec_from_file_location("vendor", place)
        assert spec is not None
        assert spec.loader is not None
        vendor = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(vendor)
        try:
            vendor.fetch()
        except vendor.VendorMissing as reason:
            self.app.display_warning(
                f"hls.js or Shaka Player is missing ({reason}): some browsers will not play HLS, and none DASH"
            )
