"""The hooks: what a plugin is asked, when, and what it answers.

Each is asked once; the answers are plain values. A hook is here from the day a plugin of our own uses it.
"""

from collections.abc import Iterable

import pluggy

from tocsin.config import Config
from tocsin.errors import Problem

hookspec = pluggy.HookspecMarker("tocsin")
hookimpl = pluggy.HookimplMarker("tocsin")


@hookspec
def check_settings(config: Config) -> Iterable[Problem]:  # type: ignore[empty-body]
    """Asked at start and by `tocsin check-config`, once every table was read by itself.

    Return what is wrong with the plugin's settings in view of the whole configuration, such as a name that
    nothing bears. The paths of the problems begin inside the plugin's own table.
    """
