# SPDX-License-Identifier: GPL-2.0-only
"""What the wheel has besides Python and templates: completion for bash, zsh and fish.

The scripts are click's own, taken when the wheel is built, so that none is kept here to go stale.
"""

import tempfile
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMAND = "dmabuf-patchgen"
#: Where each shell looks, below the prefix that the wheel is installed to.
PLACES: dict[type[ShellComplete], str] = {
    BashComplete: f"share/bash-completion/completions/{COMMAND}",
    ZshComplete: f"share/zsh/site-functions/_{COMMAND}",
    FishComplete: f"share/fish/vendor_completions.d/{COMMAND}.fish",
}


class Completion(BuildHookInterface[Any]):
    """Adds the scripts to the wheel as it is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="dmabuf-patchgen-")
        variable = f"_{COMMAND}_COMPLETE".replace("-", "_").upper()
        for shell, place in PLACES.items():
            script = Path(self._scratch.name) / shell.name
            # Not source(), which for bash looks at the bash of the machine that builds.
            complete = shell(click.Command(COMMAND), {}, COMMAND, variable)
            script.write_text(complete.source_template % complete.source_vars())
            build_data["shared_data"][str(script)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._scratch.cleanup()
