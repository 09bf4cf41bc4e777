"""Tocsin pages the people on call in their own chat rooms until a human answers."""
