"""What ClickHouse and Keeper are told agrees with the compose files and with our code."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from compose_file import CLUSTER, ROOT, Service
from glasshouse_collector.store import Store, StoreSettings
from glasshouse_collector.store.migrate import Migrations, migration_files

DEPLOY = ROOT / "deploy"
FILES = sorted(DEPLOY.rglob("*.xml"))
REPLICAS = ["clickhouse-1-1", "clickhouse-1-2", "clickhouse-2-1", "clickhouse-2-2"]
KEEPERS = ["keeper-1", "keeper-2", "keeper-3"]


def _xml(path: Path) -> ET.Element:
    return ET.parse(path).getroot()


def _texts(root: ET.Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend the embedded engine, which is ClickHouse's own."""
    opened = Store.open(StoreSettings(dsn=f"chdb://{tmp_path_factory.mktemp('engine')}/store"))
    yield opened
    opened.close()


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(DEPLOY)) for path in FILES])
def test_a_file_is_mounted_and_has_what_it_takes_from_the_environment(
    path: Path, single: dict[str, Service], cluster: dict[str, Service]
) -> None:
    """Every server that reads the file has each variable in it; a missing one ends the server's start."""
    taken = {element.get("from_env") for element in _xml(path).iter()} - {None}
    readers = [
        service
        for service in [*single.values(), *cluster.values()]
        if path in {mount.bound for mount in service.mounts}
    ]
    assert readers
    for service in readers:
        assert taken <= service.environment.keys(), service.name


def test_a_server_of_the_cluster_reads_what_the_single_one_does_and_its_own(
    single: dict[str, Service], cluster: dict[str, Service]
) -> None:
    """The same image and users; and what makes a cluster of them."""
    alone = {mount.source for mount in single["clickhouse"].mounts if mount.bound}
    ours = {"./deploy/cluster/clickhouse.xml", "./deploy/cluster/users.xml"}
    for name in REPLICAS:
        assert {mount.source for mount in cluster[name].mounts if mount.bound} == alone | ours
        assert cluster[name].written["image"] == single["clickhouse"].written["image"]
    versions = {
        service.written["image"].partition(":")[2] for service in cluster.values() if "keeper" in service.name
    }
    assert versions == {single["clickhouse"].written["image"].partition(":")[2]}


def test_the_image_is_new_enough(single: dict[str, Service]) -> None:
    """The collector refuses older servers."""
    from glasshouse_collector.store.engine import OLDEST_ENGINE  # noqa: PLC0415

    version = single["clickhouse"].written["image"].partition(":")[2]
    assert tuple(int(part) for part in version.split("."))[: len(OLDEST_ENGINE)] >= OLDEST_ENGINE


def test_the_cluster_is_the_one_the_collectors_are_told(cluster: dict[str, Service]) -> None:
    """By name; with two shards of two replicas, which are the services, and in their order."""
    root = _xml(DEPLOY / "cluster" / "clickhouse.xml")
    (servers,) = root.findall("remote_servers")
    (named,) = list(servers)
    for name in ("collector-1", "collector-2"):
        assert cluster[name].environment["GLASSHOUSE_STORAGE__CLUSTER"] == named.tag
    assert _texts(root, "macros/cluster") == [named.tag]
    shards = [_texts(shard, "replica/host") for shard in named.findall("shard")]
    assert shards == [REPLICAS[:2], REPLICAS[2:]]
    assert {*_texts(named, "shard/replica/port")} == {"9000"}
    assert {*_texts(named, "shard/internal_replication")} == {"true"}
    for number, replicas in enumerate(shards, 1):
        for replica in replicas:
            environment = cluster[replica].environment
            assert (environment["STORE_SHARD"], environment["STORE_REPLICA"]) == (str(number), replica)


def test_the_macros_are_those_that_the_tables_name(store: Store) -> None:
    """A replicated table's path has the shard and the replica in it."""
    settings = StoreSettings(dsn="clickhouse://h/glasshouse", cluster="glasshouse")
    migrations = Migrations(store.engine, settings)
    statements = [statement for _, text in migration_files() for statement in migrations.statements(text)]
    wanted = {name for text in statements for name in re.findall(r"\{([a-z]\w*)\}", text)}
    built_in = {"database", "table"}
    macros = {element.tag for element in _xml(DEPLOY / "cluster" / "clickhouse.xml").findall("macros/*")}
    assert wanted - built_in == {"shard", "replica"}
    assert wanted - built_in <= macros


def test_each_collector_has_a_server_of_another_shard(cluster: dict[str, Service]) -> None:
    """One that is stopped holds up one collector's deliveries, not both."""
    hosts = [
        urlsplit(cluster[name].environment["GLASSHOUSE_STORAGE__DSN"] or "").hostname
        for name in ("collector-1", "collector-2")
    ]
    assert hosts == ["clickhouse-1-1", "clickhouse-2-1"]


def test_the_keepers_know_each_other_and_the_servers_know_them(cluster: dict[str, Service]) -> None:
    """Each is a service with the number that the others know it by."""
    keeper = _xml(DEPLOY / "cluster" / "keeper.xml")
    members = keeper.findall("keeper_server/raft_configuration/server")
    known = {member.findtext("hostname"): member.findtext("id") for member in members}
    assert known == {name: cluster[name].environment["KEEPER_ID"] for name in KEEPERS}
    (port,) = _texts(keeper, "keeper_server/tcp_port")
    nodes = _xml(DEPLOY / "cluster" / "clickhouse.xml").findall("zookeeper/node")
    assert [(node.findtext("host"), node.findtext("port")) for node in nodes] == [
        (name, port) for name in KEEPERS
    ]


def test_a_keepers_health_check_asks_what_it_offers(cluster: dict[str, Service]) -> None:
    """The port and path of its readiness."""
    keeper = _xml(DEPLOY / "cluster" / "keeper.xml")
    offered = (
        keeper.findtext("keeper_server/http_control/port"),
        keeper.findtext("keeper_server/http_control/readiness/endpoint"),
    )
    for name in KEEPERS:
        asked = urlsplit(cluster[name].written["healthcheck"]["test"][-1])
        assert (str(asked.port), asked.path) == offered
        folder = keeper.findtext("keeper_server/log_storage_path") or ""
        assert folder.startswith(tuple(mount.target for mount in cluster[name].mounts if mount.writable))


def test_the_limits_of_users_are_settings_of_the_engine(store: Store) -> None:
    """A name that it does not know ends the server's start."""
    profiles = [
        profile
        for path in (DEPLOY / "clickhouse" / "users.d" / "glasshouse.xml", DEPLOY / "cluster" / "users.xml")
        for profile in _xml(path).findall("profiles/*")
    ]
    written = {each.tag: each.text for profile in profiles for each in profile if each.tag != "constraints"}
    written |= {each.tag: None for profile in profiles for each in profile.findall("constraints/*")} | written
    assert len(written) >= 6
    known = store.query_arrow("SELECT name FROM system.settings")["name"].to_pylist()
    assert written.keys() <= set(known)
    for name, value in written.items():
        if name != "readonly":  # with it, no other may be set beside
            store.engine.command("SELECT 1", options={name: value or ""})


def test_grafana_may_read_the_tables_and_nothing_else(store: Store) -> None:
    """One grant, on the collector's database, that the engine understands; and read-only besides."""
    root = _xml(DEPLOY / "clickhouse" / "users.d" / "glasshouse.xml")
    assert {user.tag for user in root.findall("users/*") if not user.get("remove")} == {
        "glasshouse",
        "grafana",
    }
    assert [user.tag for user in root.findall("users/*") if user.get("remove")] == ["default"]
    (grant,) = _texts(root, "users/grafana/grants/query")
    assert grant == "GRANT SELECT ON glasshouse.*"
    store.engine.command(f"EXPLAIN AST {grant} TO grafana")
    (profile,) = _texts(root, "users/grafana/profile")
    assert _texts(root, f"profiles/{profile}/readonly") == ["2"]


def test_no_server_of_the_store_opens_a_port() -> None:
    """Only those that stand in front do."""
    assert "9000:" not in CLUSTER.read_text()
    assert "8123:" not in CLUSTER.read_text()
