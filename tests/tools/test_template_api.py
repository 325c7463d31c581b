"""Checks the API of template.yaml: its routes, errors, limits and logs."""

import json
import re
from http import HTTPStatus

import pytest
from transformed import source

# The status of each error response of API Gateway, as the template sets it.
STATUSES = {
    "UNAUTHORIZED": 401,
    "ACCESS_DENIED": 403,
    "EXPIRED_TOKEN": 401,
    "INVALID_SIGNATURE": 404,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "RESOURCE_NOT_FOUND": 404,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "WAF_FILTERED": 429,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
}
# API Gateway uses these for several statuses.
DEFAULTS = ["DEFAULT_4XX", "DEFAULT_5XX"]
PRIVATE = r"identity|authorizer|\$context\.path|querystring|header|requestOverride|claims"


@pytest.fixture(scope="module")
def body(resources):
    return resources["Api"]["Properties"]["Body"]


@pytest.fixture(scope="module")
def stage(resources):
    return resources["ApiStage"]["Properties"]


@pytest.fixture(scope="module", params=[*STATUSES, *DEFAULTS])
def gateway_response(request, body):
    """The name of an error response of API Gateway, its definition, and its headers."""
    response = body["x-amazon-apigateway-gateway-responses"][request.param]
    headers = {
        name.removeprefix("gatewayresponse.header.").lower(): value.strip("'") if isinstance(value, str) else value
        for name, value in response["responseParameters"].items()
    }
    return request.param, response, headers


def test_authorizer_accepts_tokens_of_our_user_pool(body):
    # `tests/it/template.rs` checks which routes it protects.
    (authorizer,) = body["components"]["securitySchemes"].values()
    assert authorizer["x-amazon-apigateway-authorizer"]["providerARNs"] == [{"Fn::GetAtt": ["UserPool", "Arn"]}]


def test_path_variables_at_one_place_have_one_name(body):
    names = {}
    for path in body["paths"]:
        parts = path.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                place = re.sub(r"\{\w+\}", "{}", "/".join(parts[:at]))
                names.setdefault(place, set()).add(part)
    # API Gateway rejects sibling resources with different variables.
    assert [found for found in names.values() if len(found) > 1] == []


def test_every_method_invokes_the_alias(body):
    targets = {
        json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
        for methods in body["paths"].values()
        for operation in methods.values()
    }
    assert ["${ApiFunctionAliaslive}" in target for target in targets] == [True]


def test_gateway_errors_are_all_replaced(body):
    assert set(body["x-amazon-apigateway-gateway-responses"]) == {*STATUSES, *DEFAULTS}


def test_gateway_error_is_a_problem(gateway_response):
    name, response, headers = gateway_response
    assert headers["content-type"] == "application/problem+json"
    # API Gateway uses this template for every `Accept` header.
    assert list(response["responseTemplates"]) == ["application/json"]
    problem = json.loads(response["responseTemplates"]["application/json"])
    assert (problem["type"], problem["xray_trace_id"]) == ("about:blank", "$context.xrayTraceId")
    assert re.fullmatch(r"[a-z_]+", problem["code"])
    assert problem["detail"]
    if name in DEFAULTS:
        assert problem["gateway"] == "$context.error.responseType"
    else:
        assert problem["status"] == STATUSES[name]
        assert str(response.get("statusCode", STATUSES[name])) == str(STATUSES[name])
        # Newer versions of Python know 413 by its new name, "Content Too Large".
        title = "Payload Too Large" if name == "REQUEST_TOO_LARGE" else HTTPStatus(STATUSES[name]).phrase
        assert problem["title"] == title


def test_gateway_error_is_readable_from_every_origin(gateway_response):
    _, _, headers = gateway_response
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


def test_gateway_error_is_not_cached(gateway_response):
    _, _, headers = gateway_response
    assert headers["cache-control"] == "no-store"


def test_gateway_error_allows_the_headers_of_pages(gateway_response):
    # `tests/it/cors.rs` compares the list with the router's.
    _, _, headers = gateway_response
    allowed = source()["Mappings"]["Cors"]["RequestHeaders"]["Allowed"].strip("'")
    assert headers["access-control-allow-headers"] == allowed


def test_gateway_401_repeats_the_challenge_in_the_body(gateway_response):
    name, response, headers = gateway_response
    problem = json.loads(response["responseTemplates"]["application/json"])
    challenge = [problem.get("scheme"), problem.get("error"), problem.get("reason")]
    refused = name in ("UNAUTHORIZED", "EXPIRED_TOKEN")
    assert challenge == (["Bearer", None, "missing_or_invalid"] if refused else [None, None, None])
    assert headers.get("www-authenticate") == ("Bearer" if refused else None)


def test_expired_token_has_one_response(body):
    responses = body["x-amazon-apigateway-gateway-responses"]
    # The gateway rejects an expired token by either of them.
    expired, unauthorized = responses["EXPIRED_TOKEN"], responses["UNAUTHORIZED"]
    assert str(expired["statusCode"]) == "401"
    assert expired["responseTemplates"] == unauthorized["responseTemplates"]
    assert expired["responseParameters"] == unauthorized["responseParameters"]


def test_gateway_error_tells_clients_how_to_retry(gateway_response):
    name, _, headers = gateway_response
    # WAF blocks an address until its rate falls.
    expected = "60" if name == "WAF_FILTERED" else "1" if STATUSES.get(name) in (429, 502, 504) else None
    assert headers.get("retry-after") == expected
    assert headers.get("www-authenticate", "").startswith("Bearer") == (STATUSES.get(name) == 401)


def test_stage_traces_requests(stage):
    assert stage["TracingEnabled"] is True


def test_stage_throttles_every_method(body, stage):
    settings = {
        (setting["ResourcePath"].replace("~1", "/"), setting["HttpMethod"]): setting
        for setting in stage["MethodSettings"]
    }
    assert all(
        setting["ThrottlingRateLimit"] > 0 and setting["ThrottlingBurstLimit"] > 0 for setting in settings.values()
    )
    methods = {(f"/{path}", method.upper()) for path, methods in body["paths"].items() for method in methods}
    assert settings.keys() - methods == {("/*", "*")}


def test_access_log_has_ids_and_nothing_private(stage):
    fields = json.loads(stage["AccessLogSetting"]["Format"])
    assert (fields["request_id"], fields["xray_trace_id"]) == ("$context.requestId", "$context.xrayTraceId")
    # Lambda's own status distinguishes a failed invocation from a failure that the function reports.
    statuses = (fields["integration_status"], fields["lambda_status"])
    assert statuses == ("$context.integration.status", "$context.integration.integrationStatus")
    # Paths contain handles, and queries contain search terms.
    assert [value for value in fields.values() if re.search(PRIVATE, value)] == []


def test_web_acl_limits_one_address(variant, of_type):
    (acl,) = of_type("AWS::WAFv2::WebACL").values() or [None]
    associations = of_type("AWS::WAFv2::WebACLAssociation").values()
    assert (acl is None, len(associations)) == ((variant == "dev"), variant == "prod")
    if acl:
        (rule,) = acl["Rules"]
        limit = {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 2000}
        assert (rule["Action"], rule["Statement"]) == ({"Block": {}}, {"RateBasedStatement": limit})
        assert (acl["Scope"], acl["DefaultAction"]) == ("REGIONAL", {"Allow": {}})
        # Sampled requests would contain headers and search terms.
        samples = [one["VisibilityConfig"]["SampledRequestsEnabled"] for one in (acl, rule)]
        assert samples == [False, False]
        (association,) = associations
        assert association["WebACLArn"] == {"Fn::GetAtt": ["WebAcl", "Arn"]}
        arn = "arn:aws:apigateway:eu-west-1::/restapis/${Api}/stages/${ApiStage}"
        assert association["ResourceArn"] == {"Fn::Sub": arn}


def test_budget_is_opt_in(variant, of_type):
    budgets = list(of_type("AWS::Budgets::Budget").values())
    assert len(budgets) == (variant == "prod")
    for budget in budgets:
        assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
        notified = [one["Subscribers"] for one in budget["NotificationsWithSubscribers"]]
        assert notified == [[{"SubscriptionType": "EMAIL", "Address": "owner@cruddur.example"}]] * 2


def test_user_pool_settings(variant, resources):
    pool = resources["UserPool"]["Properties"]
    # A typing error must not lock a user out.
    assert pool["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    settings = (pool["UserPoolTier"], pool["MfaConfiguration"], pool.get("EnabledMfas"), pool.get("EmailConfiguration"))
    expected = {
        "dev": ("LITE", "OFF", None, None),
        "prod": (
            "ESSENTIALS",
            "OPTIONAL",
            ["SOFTWARE_TOKEN_MFA"],
            {
                "EmailSendingAccount": "DEVELOPER",
                "SourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/cruddur.example",
                "From": "no-reply@cruddur.example",
            },
        ),
    }
    assert settings == expected[variant]


def test_table_is_encrypted_with_the_free_key(resources):
    # Without the property, DynamoDB uses a key that AWS owns. SSEEnabled would use a key in KMS, whose calls cost money.
    assert "SSESpecification" not in resources["Table"]["Properties"]
