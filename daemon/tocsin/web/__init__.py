"""The listener: alerts are posted to it."""

from tocsin.web.listener import Web

__all__ = ["Web"]
