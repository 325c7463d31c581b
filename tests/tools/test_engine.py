import pytest
from engine import bridge_interface, interface_address

# What `docker network inspect bridge` describes when Docker 20.10 of Debian 12 has started for the first time.
FIRST_START = {
    "Name": "bridge",
    "Scope": "local",
    "Driver": "bridge",
    "EnableIPv6": False,
    "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "172.17.0.0/16"}]},
    "Options": {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        "com.docker.network.bridge.name": "docker0",
    },
}


def test_bridge_without_gateway_is_found_by_interface():
    assert bridge_interface(FIRST_START) == "docker0"
    renamed = {**FIRST_START, "Options": {"com.docker.network.bridge.name": "br0"}}
    assert bridge_interface(renamed) == "br0"


def test_interface_address_is_its_ipv4_address():
    assert interface_address("lo") == "127.0.0.1"


def test_interface_without_address_is_named_in_the_error():
    with pytest.raises(SystemExit, match="no-such-if"):
        interface_address("no-such-if")
