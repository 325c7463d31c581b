"""Checks the alarms, the dashboard and the X-Ray settings of template.yaml."""

import json
import re
from pathlib import Path

import pytest

# A unit test of `lambda-spans` compares the metrics in its log line with the same list.
DESTINATION_METRICS = ["Exported", "SampledOut", "Dropped", "Carried"]
# SecondOtlp is X-Ray's OTLP endpoint, if XrayOtlp is true.
DESTINATIONS = ["XRay", "Otlp", "SecondOtlp"]
SPAN_METRICS = ["SpansCreated", *(f"{to}{metric}" for to in DESTINATIONS for metric in DESTINATION_METRICS)]
# A gauge for debugging, which the dashboard does not show.
NOT_SHOWN = {f"{to}Carried" for to in DESTINATIONS}
# CloudWatch's limit for the metrics of one alarm.
MAX_METRICS = 10


@pytest.fixture(scope="module")
def alarms(of_type):
    return of_type("AWS::CloudWatch::Alarm")


@pytest.fixture(scope="module")
def widgets(resources):
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    return json.loads(body["Fn::Sub"] if isinstance(body, dict) else body)["widgets"]


@pytest.fixture(scope="module")
def span_metrics(of_type):
    """Namespace, name and service of each metric of spans that the dashboard shows."""
    variables = [function["Environment"]["Variables"] for function in of_type("AWS::Lambda::Function").values()]
    return {
        (one["LAMBDA_SPANS_METRICS_NAMESPACE"], metric, one["OTEL_SERVICE_NAME"])
        for one in variables
        for metric in SPAN_METRICS
        if metric not in NOT_SHOWN
    }


def test_alarms_notify_the_target_at_both_ends(variant, alarms):
    expected = ["arn:aws:sns:eu-west-1:123456789012:alarms"] if variant == "prod" else None
    for alarm in alarms.values():
        assert (alarm.get("AlarmActions"), alarm.get("OKActions")) == (expected, expected)


def test_alarms_ignore_missing_data(alarms):
    assert {alarm["TreatMissingData"] for alarm in alarms.values()} == {"notBreaching"}


def test_sums_of_sparse_metrics_fill_every_gap(alarms):
    for alarm in alarms.values():
        result, *parts = alarm.get("Metrics") or [None]
        if result and result["Expression"].startswith("SUM("):
            filled = re.findall(r"FILL\((\w+), 0\)", result["Expression"])
            assert sorted(filled) == sorted(part["Id"] for part in parts)
            # A late data point counts as 0 at first. With all of the periods required, the alarm would never begin.
            assert alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"]


def test_throttles_of_the_table_end(alarms):
    result, *parts = alarms["TableThrottlesAlarm"]["Metrics"]
    metrics = {part["Id"]: part["MetricStat"]["Metric"]["MetricName"] for part in parts}
    # Alarms ignore missing data of DynamoDB, so the sum needs a metric that always has data. The table has a maximum.
    assert "0 * FILL(limit, 0)" in result["Expression"]
    assert metrics["limit"] == "OnDemandMaxReadRequestUnits"


@pytest.mark.parametrize("variant", ["prod"], indirect=True)
def test_canary_alarm_fires_within_five_minutes(alarms):
    canaries = {name: alarm for name, alarm in alarms.items() if name.endswith("CanaryAlarm")}
    assert len(canaries) == 3
    for alarm in canaries.values():
        # Ten requests a minute are one error of the canary a minute. Metrics are up to two minutes late.
        errors = [0, 0, 1, 1, 1]
        breaching = [count > alarm["Threshold"] for count in errors[: 300 // alarm["Period"]]]
        assert (alarm["Statistic"], alarm["MetricName"]) == ("Sum", "Errors")
        assert alarm["EvaluationPeriods"] * alarm["Period"] == 300
        assert sum(breaching) >= alarm["DatapointsToAlarm"]
        # One request is enough, since chance may give the canary fewer.
        assert alarm["DatapointsToAlarm"] == 1


@pytest.mark.parametrize("variant", ["prod"], indirect=True)
def test_bill_counts_the_metrics_of_the_alarms(alarms):
    watched = sum(len(alarm["Metrics"]) - 1 if "Metrics" in alarm else 1 for alarm in alarms.values())
    (counted,) = re.findall(r"^ALARMS = (\d+)$", Path("docs/generate/bill.py").read_text(), re.MULTILINE)
    assert watched == int(counted)


def test_stages_have_separate_metrics(variant, of_type):
    namespaces = {
        function["Environment"]["Variables"]["LAMBDA_SPANS_METRICS_NAMESPACE"]
        for function in of_type("AWS::Lambda::Function").values()
    }
    assert namespaces == {f"Cruddur/{variant}"}


def test_alarms_are_described(alarms):
    assert all(alarm["AlarmDescription"] for alarm in alarms.values())


def test_alarms_keep_the_limit_of_metrics(alarms):
    assert max(len(alarm.get("Metrics", ())) for alarm in alarms.values()) <= MAX_METRICS


def test_alarm_expression_uses_each_of_its_metrics(alarms):
    for alarm in alarms.values():
        result, *parts = alarm.get("Metrics") or [None]
        if result:
            assert sorted(part["Id"] for part in parts) == sorted(
                set(re.findall(r"\b[a-z]\w*\b", result["Expression"]))
            )
            assert not any(part["ReturnData"] for part in parts)


def test_dashboard_shows_every_alarm(alarms, widgets):
    shown = {arn for widget in widgets if widget["type"] == "alarm" for arn in widget["properties"]["alarms"]}
    # The canary's alarms matter only to CodeDeploy, and exist only while Rollout is canary.
    assert shown == {f"${{{name}.Arn}}" for name in alarms if not name.endswith("CanaryAlarm")}


def test_dashboard_shows_every_span_metric(widgets, span_metrics):
    metrics = [metric for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]]
    namespaces = {namespace for namespace, _, _ in span_metrics}
    assert {(one[0], one[1], one[3]) for one in metrics if one[0] in namespaces} == span_metrics


def test_lost_telemetry_alarm_watches_every_service(alarms, span_metrics):
    watched = [part["MetricStat"]["Metric"] for part in alarms["LostTelemetryAlarm"]["Metrics"][1:]]
    assert {(one["Namespace"], one["MetricName"], one["Dimensions"][0]["Value"]) for one in watched} == {
        metric for metric in span_metrics if metric[1].endswith("Dropped")
    }


def test_xray_rule_samples_the_stage(resources):
    rule = resources["TraceSampling"]["Properties"]["SamplingRule"]
    assert (rule["ServiceName"], rule["ServiceType"]) == (stage_name(resources), "AWS::ApiGateway::Stage")
    assert (rule["FixedRate"], rule["ReservoirSize"]) == (0.05, 1)


def test_xray_group_contains_stage_and_consumers(resources):
    expression = resources["TraceGroup"]["Properties"]["FilterExpression"]["Fn::Sub"]
    assert re.findall(r'service\(id\(name: "([^"]+)", type: "([^"]+)"\)\)', expression) == [
        (stage_name(resources), "AWS::ApiGateway::Stage"),
        ("${SignupFunction}", "AWS::Lambda::Function"),
        ("${StreamFunction}", "AWS::Lambda::Function"),
    ]


def test_xray_names_have_at_most_32_characters(resources):
    names = [
        resources["TraceSampling"]["Properties"]["SamplingRule"]["RuleName"],
        resources["TraceGroup"]["Properties"]["GroupName"],
    ]
    for name in names:
        text = name["Fn::Sub"][0].replace("${Number}", "1a2b3c4d") if isinstance(name, dict) else name
        assert len(text) <= 32


def test_transaction_search_is_opt_in(variant, of_type):
    assert bool(of_type("AWS::XRay::TransactionSearchConfig")) == (variant == "prod")


def test_xray_otlp_endpoint_is_opt_in(variant, of_type):
    endpoint = "https://xray.eu-west-1.amazonaws.com/v1/traces" if variant == "prod" else None
    for function in of_type("AWS::Lambda::Function").values():
        assert function["Environment"]["Variables"].get("LAMBDA_SPANS_SECOND_OTLP_ENDPOINT") == endpoint


@pytest.mark.parametrize("variant", ["prod"], indirect=True)
def test_transaction_search_writes_for_this_account_only(resources):
    policy = json.loads(resources["TransactionSearchLogs"]["Properties"]["PolicyDocument"])
    assert [statement["Condition"] for statement in policy["Statement"]] == [
        {
            "ArnLike": {"aws:SourceArn": "arn:aws:xray:eu-west-1:123456789012:*"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        }
    ]


def stage_name(resources):
    return f"{resources['Api']['Properties']['Name']}/{resources['ApiStage']['Properties']['StageName']}"
