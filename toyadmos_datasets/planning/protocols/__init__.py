"""The protocols: each a module that turns a scope into splits and configs, all listed in one table."""

from toyadmos_datasets.planning.protocols.catalogue import PROTOCOLS, Protocol, protocol_named

__all__ = ["PROTOCOLS", "Protocol", "protocol_named"]
