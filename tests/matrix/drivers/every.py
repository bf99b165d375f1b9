"""All clients of the matrix, in the order of the table."""

from __future__ import annotations

from tests.matrix.driver import Driver
from tests.matrix.drivers.connect import KafkaConnect
from tests.matrix.drivers.console_tools import ConsoleTools
from tests.matrix.drivers.golang import go_clients
from tests.matrix.drivers.java import java_clients
from tests.matrix.drivers.kcat import Kcat
from tests.matrix.drivers.mirrormaker import MirrorMaker
from tests.matrix.drivers.node import node_clients
from tests.matrix.drivers.python import python_clients
from tests.matrix.drivers.streams import KafkaStreams


def every_client() -> list[Driver]:
    """Return a driver for each."""
    return [*_of_java(), *_others()]


def every_standing_client() -> list[Driver]:
    """Return a driver for each that may be left alone while something happens, and for those that never are."""
    return [*_of_java(), KafkaConnect(), *_others()]


def _of_java() -> list[Driver]:
    return [*java_clients(), KafkaStreams(), MirrorMaker(), ConsoleTools()]


def _others() -> list[Driver]:
    return [*python_clients(), *node_clients(), *go_clients(), Kcat()]
