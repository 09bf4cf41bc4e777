"""The listener: alerts are posted to it, buttons pressed, and feeds fetched."""

from tocsin.web.buttons import Buttons
from tocsin.web.feeds import Feeds
from tocsin.web.listener import Web

__all__ = ["Buttons", "Feeds", "Web"]
