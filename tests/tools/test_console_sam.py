"""The console of `make sam-local`, on loopback instead of Docker's bridge."""

import json
import socket
from types import SimpleNamespace

import sam_local
from console import api, console
from processes import free_port
from samcli.yamlhelper import yaml_parse

LOOPBACK = "127.0.0.1"


def test_running_console_is_used():
    with console() as running, sam_local.console(LOOPBACK, running.port) as url:
        assert url == running.url


def test_console_is_started_and_stopped():
    port = free_port()
    with sam_local.console(LOOPBACK, port) as url:
        assert url == f"http://{LOOPBACK}:{port}"
        assert api(url, "info")["http"] == f"{LOOPBACK}:{port}"
    assert not sam_local.is_console(url)


def test_port_of_another_program_is_replaced():
    with socket.create_server((LOOPBACK, 0)) as other:
        # It accepts connections and never answers.
        port = other.getsockname()[1]
        with sam_local.console(LOOPBACK, port) as url:
            assert url != f"http://{LOOPBACK}:{port}"
            assert api(url, "info")["http"] == url.removeprefix("http://")


def test_variables_of_functions_name_the_selected_ports(tmp_path, monkeypatch):
    template = {
        "Parameters": {
            "AllowedOrigins": {"Default": "http://localhost:3000"},
            "Architecture": {"Default": "arm64"},
        },
        "Globals": {"Function": {"Environment": {"Variables": {"LOG_LEVEL": "info"}}}},
        "Resources": {"ApiFunction": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "ApiFunction"}}},
    }
    built = tmp_path / "x86_64"
    built.mkdir()
    (built / "template.yaml").write_text(json.dumps(template))
    monkeypatch.setattr(sam_local, "FOLDER", tmp_path / "local")
    sam_local.configure(SimpleNamespace(built=built, local_port=13000), {8000: 18000, 4318: 14318})
    configured = yaml_parse((tmp_path / "local/template.yaml").read_text())
    assert configured["Parameters"]["AllowedOrigins"]["Default"] == "http://localhost:3000,http://127.0.0.1:13000"
    assert configured["Globals"]["Function"]["Environment"]["Variables"] == {
        "LOG_LEVEL": "info",
        "LAMBDA_SPANS_CONTEXT": "caller",
        "LAMBDA_SPANS_FLUSH": "end",
    }
    variables = json.loads((tmp_path / "local/env.json").read_text())
    assert len(variables) == 3
    for function in variables.values():
        assert function["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://host.docker.internal:14318"
        assert function["AWS_ENDPOINT_URL"] == "http://host.docker.internal:18000"
    assert variables["ApiFunction"]["JWKS_URL"].startswith("http://host.docker.internal:18000/")
