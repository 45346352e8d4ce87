"""Guest-link access gateway: one item of a media server for whoever holds a link."""

__version__ = "0.1.0"
