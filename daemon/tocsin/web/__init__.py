"""The listener: alerts are posted to it, and buttons pressed."""

from tocsin.web.buttons import Buttons
from tocsin.web.listener import Web

__all__ = ["Buttons", "Web"]
