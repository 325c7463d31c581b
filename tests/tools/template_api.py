"""The API as CloudFormation gets it, beside the router and its errors."""

import json
import re
from http import HTTPStatus
from pathlib import Path

SCOPE = "aws.cognito.signin.user.admin"
ANY = "x-amazon-apigateway-any-method"
# What API Gateway answers where the template says no other status.
STATUSES = {"UNAUTHORIZED": 401, "ACCESS_DENIED": 403, "EXPIRED_TOKEN": 403, "INVALID_SIGNATURE": 403,
            "MISSING_AUTHENTICATION_TOKEN": 403, "RESOURCE_NOT_FOUND": 404, "REQUEST_TOO_LARGE": 413, "THROTTLED": 429,
            "INTEGRATION_FAILURE": 504, "INTEGRATION_TIMEOUT": 504}
# And what it says that misleads: the template says another.
MENDED = {"EXPIRED_TOKEN": 401, "INVALID_SIGNATURE": 404, "MISSING_AUTHENTICATION_TOKEN": 404, "INTEGRATION_FAILURE": 502}
# Of these the status is not known beforehand.
DEFAULTS = {"DEFAULT_4XX", "DEFAULT_5XX"}
ERRORS = r"^## (\d+) \w+.*?\"title\": \"([^\"]+)\""


def look_at_api(report, variant, resources):
    body = resources["Api"]["Properties"]["Body"]
    routes = routes_of(Path("src/api/router.rs").read_text())
    expected = {(ANY, shape_of(path), None) for _, path, _ in routes} | {
        (method, shape_of(path), SCOPE) for method, path, access in routes if access == "SignedIn"}
    found = {(method, shape_of(path), scope_of(operation)) for path, methods in body["paths"].items()
             for method, operation in methods.items()}
    report.compare(f"{variant}: an access token is asked for exactly where the router asks for a user",
                   sorted(expected, key=str), sorted(found, key=str))
    report.compare(f"{variant}: variables of one place have one name", [], sorted(names_that_differ(body["paths"])))
    integrations = {json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
                    for methods in body["paths"].values() for operation in methods.values()}
    report.compare(f"{variant}: every method calls the alias", 1, len(integrations))
    report.compare(f"{variant}: it is the alias live", True, "${ApiFunctionAliaslive}" in integrations.pop())
    (authorizer,) = body["components"]["securitySchemes"].values()
    report.compare(f"{variant}: tokens are of our user pool", [{"Fn::GetAtt": ["UserPool", "Arn"]}],
                   authorizer["x-amazon-apigateway-authorizer"]["providerARNs"])

    titles = dict(re.findall(ERRORS, Path("tests/errors.txt").read_text(), re.M | re.S))
    responses = body["x-amazon-apigateway-gateway-responses"]
    report.compare(f"{variant}: what the gateway says by itself", sorted({*STATUSES, *DEFAULTS}), sorted(responses))
    for name, response in responses.items():
        look_at_gateway_response(report, f"{variant}, {name}", name, response, titles)

    stage = resources["ApiStage"]["Properties"]
    report.compare(f"{variant}: requests are traced", True, stage["TracingEnabled"])
    look_at_access_log(report, variant, stage["AccessLogSetting"]["Format"])
    settings = {(setting["ResourcePath"].replace("~1", "/"), setting["HttpMethod"]): setting
                for setting in stage["MethodSettings"]}
    report.compare(f"{variant}: every method has a limit", True, ("/*", "*") in settings and all(
        setting["ThrottlingRateLimit"] > 0 and setting["ThrottlingBurstLimit"] > 0 for setting in settings.values()))
    methods = {(f"/{path}", method.upper()) for path, methods in body["paths"].items() for method in methods}
    report.compare(f"{variant}: limits are for methods that there are", [],
                   sorted(settings.keys() - {("/*", "*")} - methods))


def look_at_gateway_response(report, told, name, response, titles):
    """Problem details like the function's own, which a page may read wherever it comes from."""
    ((content_type, template),) = response["responseTemplates"].items()
    report.compare(f"{told}: is said to whoever asks", "application/json", content_type)
    problem = json.loads(template)
    status = response.get("statusCode") or STATUSES.get(name)
    expected = {"type": "about:blank", "xray_trace_id": "$context.xrayTraceId"}
    if name in DEFAULTS:
        expected["gateway"] = "$context.error.responseType"
    else:
        expected["status"] = MENDED.get(name, int(status))
        expected["title"] = titles.get(str(status), HTTPStatus(int(status)).phrase)
    report.compare(f"{told}: is a problem of ours", expected, {key: problem.get(key) for key in expected})
    report.compare(f"{told}: says what is wrong, in words of ours and a word", [True, True],
                   [problem["detail"].endswith(".") and "$" not in problem["detail"],
                    re.fullmatch(r"[a-z_]+", problem["code"]) is not None])
    headers = {name.removeprefix("gatewayresponse.header.").lower(): value.strip("'")
               for name, value in response["responseParameters"].items()}
    report.compare(f"{told}: may be read by every page, without credentials", ("*", None),
                   (headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")))
    report.compare(f"{told}: is said to be a problem", "application/problem+json", headers.get("content-type"))
    report.compare(f"{told}: says when to come again", "1" if status and int(status) in (429, 502, 504) else None,
                   headers.get("retry-after"))
    report.compare(f"{told}: asks for a token where one is missing", bool(status) and int(status) == 401,
                   headers.get("www-authenticate", "").startswith("Bearer"))


def look_at_access_log(report, variant, text):
    fields = json.loads(text)
    report.compare(f"{variant}: an access is found by request and by trace", ["$context.requestId", "$context.xrayTraceId"],
                   [fields["request_id"], fields["xray_trace_id"]])
    # Paths have handles in them, queries what somebody looks for.
    private = r"identity|authorizer|\$context\.path|querystring|header|requestOverride|claims"
    report.compare(f"{variant}: nothing private is logged", [],
                   [value for value in fields.values() if re.search(private, value)])


def routes_of(router):
    routes = re.findall(r'Route::(\w+)\(\s*"([^"]+)",\s*Access::(\w+)', router)
    assert len(routes) == router.count("Access::") - router.count("Access::Public =>") - router.count(
        "Access::Optional =>") - router.count("Access::SignedIn =>"), "a route that is not understood"
    return routes


def shape_of(path):
    """A path as API Gateway sees it, which knows no `@` before a variable: a user's page is the same resource as a post,
    whatever the variable is called."""
    return re.sub(r"@?\{[^}]+\}", "{}", path)


def scope_of(operation):
    security = operation.get("security")
    if not security:
        return None
    ((_, scopes),) = security[0].items()
    return ",".join(scopes)


def names_that_differ(paths):
    """Variables that stand at one place under several names, which API Gateway refuses."""
    names = {}
    for path in paths:
        parts = path.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                names.setdefault(shape_of("/".join(parts[:at])), set()).add(part)
    return [part for found in names.values() if len(found) > 1 for part in found]
