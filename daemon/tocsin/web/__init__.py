"""The listener: alerts are posted to it, buttons pressed, feeds fetched, and others ping."""

from tocsin.web.buttons import Buttons
from tocsin.web.feeds import Feeds
from tocsin.web.listener import Web
from tocsin.web.pings import Pings

__all__ = ["Buttons", "Feeds", "Pings", "Web"]
