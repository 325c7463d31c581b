"""What is watched: alarms, the dashboard and X-Ray, beside the resources that they name and the metrics that are
written."""

import json
import re
from pathlib import Path

HEALTH = Path("crates/lambda-spans/src/export/health.rs")


def look_at_what_is_watched(report, variant, resources):
    alarms = {name: resource["Properties"] for name, resource in resources.items()
              if resource["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alarm in alarms.items():
        description = alarm["AlarmDescription"]
        report.compare(f"{variant}, {name}: says what to do first, and where more is said", True,
                       " First " in description and description.endswith(" docs/operate.md, Alarms."))
        report.compare(f"{variant}, {name}: tells who is to be told, when it begins and when it ends",
                       [resources_target(variant)] * 2, [alarm.get("AlarmActions"), alarm.get("OKActions")])
        report.compare(f"{variant}, {name}: is quiet where nothing happens", "notBreaching", alarm["TreatMissingData"])

    widgets = dashboard_of(resources)
    shown = {arn for widget in widgets if widget["type"] == "alarm" for arn in widget["properties"]["alarms"]}
    report.compare(f"{variant}: the dashboard has every alarm", sorted(f"${{{name}.Arn}}" for name in alarms), sorted(shown))
    functions = {name: resource["Properties"]["Environment"]["Variables"] for name, resource in resources.items()
                 if resource["Type"] == "AWS::Lambda::Function"}
    ours = {("Cruddur", metric, variables["OTEL_SERVICE_NAME"]) for variables in functions.values()
            for metric in metrics_of_spans() if not metric.endswith("Carried")}
    report.compare(f"{variant}: metrics of spans are written in that namespace", {"Cruddur"},
                   {variables["LAMBDA_SPANS_METRICS_NAMESPACE"] for variables in functions.values()})
    metrics = [metric for widget in widgets if widget["type"] == "metric" for metric in widget["properties"]["metrics"]]
    report.compare(f"{variant}: the dashboard has all that is written of spans", sorted(ours),
                   sorted((metric[0], metric[1], metric[3]) for metric in metrics if metric[0] == "Cruddur"))
    lost = [statistic["MetricStat"]["Metric"] for statistic in alarms["LostTelemetryAlarm"]["Metrics"][1:]]
    report.compare(f"{variant}: lost spans of every service are told", sorted(
        metric for metric in ours if metric[1].endswith("Dropped")),
        sorted((metric["Namespace"], metric["MetricName"], metric["Dimensions"][0]["Value"]) for metric in lost))
    for name, alarm in alarms.items():
        look_at_expression(report, f"{variant}, {name}", alarm)
    look_at_traces(report, variant, resources)


def resources_target(variant):
    return ["arn:aws:sns:eu-west-1:123456789012:alarms"] if variant == "prod" else None


def dashboard_of(resources):
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    return json.loads(body["Fn::Sub"] if isinstance(body, dict) else body)["widgets"]


def metrics_of_spans():
    """The metrics that `lambda-spans` writes: those of its source, for both destinations."""
    text = HEALTH.read_text().split("#[cfg(test)]")[0].split("// Why is for")[0]
    names = re.findall(r'format!\("\{name\}(\w+)"\)', text)
    return ["SpansCreated", *(f"{destination}{name}" for destination in ("XRay", "Otlp") for name in names)]


def look_at_expression(report, told, alarm):
    if "Metrics" not in alarm:
        return
    (result, *parts) = alarm["Metrics"]
    used = set(re.findall(r"\b[a-z]\w*\b", result["Expression"]))
    report.compare(f"{told}: the expression is made of its metrics", sorted(used), sorted(part["Id"] for part in parts))
    report.compare(f"{told}: only the expression is looked at", [False] * len(parts), [part["ReturnData"] for part in parts])


def look_at_traces(report, variant, resources):
    api, stage = resources["Api"]["Properties"], resources["ApiStage"]["Properties"]
    gateway = f"{api['Name']}/{stage['StageName']}"
    rule = resources["TraceSampling"]["Properties"]["SamplingRule"]
    report.compare(f"{variant}: it is sampled at the gateway's stage", (gateway, "AWS::ApiGateway::Stage"),
                   (rule["ServiceName"], rule["ServiceType"]))
    report.compare(f"{variant}: one in twenty, above one each second", (0.05, 1), (rule["FixedRate"], rule["ReservoirSize"]))
    group = resources["TraceGroup"]["Properties"]
    filtered = re.findall(r'service\(id\(name: "([^"]+)", type: "([^"]+)"\)\)', group["FilterExpression"]["Fn::Sub"])
    report.compare(f"{variant}: the group has the gateway's traces, and those that begin at a function", [
        (gateway, "AWS::ApiGateway::Stage"), ("${SignupFunction}", "AWS::Lambda::Function"),
        ("${StreamFunction}", "AWS::Lambda::Function")], filtered)
    for name in (rule["RuleName"], group["GroupName"]):
        number = "1a2b3c4d"
        name = name["Fn::Sub"][0].replace("${Number}", number) if isinstance(name, dict) else name
        report.compare(f"{variant}: X-Ray takes the name {name}", True, len(name) <= 32)
    search = {name for name, resource in resources.items() if resource["Type"] == "AWS::XRay::TransactionSearchConfig"}
    report.compare(f"{variant}: Transaction Search is on where it is asked for alone", variant == "prod", bool(search))
    if search:
        policy = json.loads(resources["TransactionSearchLogs"]["Properties"]["PolicyDocument"])
        (statement,) = policy["Statement"]
        report.compare("X-Ray writes there for this account alone", {
            "ArnLike": {"aws:SourceArn": "arn:aws:xray:eu-west-1:123456789012:*"},
            "StringEquals": {"aws:SourceAccount": "123456789012"}}, statement["Condition"])
