"""Users of a deployed stack: sign-up and sign-in."""

import json
from pathlib import Path

# The user of docs/deploy.md.
ANDREW = "you@example.com"
PASSWORD = "Correct-horse-7"


def sign_up(stack, name, handle):
    """Creates a user. Returns the tokens."""
    cognito, client = stack.aws.client("cognito-idp"), stack.outputs["UserPoolClientId"]
    email = f"{handle}@example.com"
    attributes = {"email": email, "name": name, "preferred_username": handle}
    cognito.sign_up(
        ClientId=client,
        Username=email,
        Password=PASSWORD,
        UserAttributes=[{"Name": key, "Value": value} for key, value in attributes.items()],
    )
    cognito.confirm_sign_up(ClientId=client, Username=email, ConfirmationCode="123456")
    invoke_trigger(stack, email)
    return sign_in(stack, client, email)


def invoke_trigger(stack, email):
    """Invokes the PostConfirmation trigger of a confirmed user. Cognito does that; ministack does not."""
    cognito = stack.aws.client("cognito-idp")
    pool, client = stack.outputs["UserPoolId"], stack.outputs["UserPoolClientId"]
    trigger = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["LambdaConfig"]["PostConfirmation"]
    user = cognito.admin_get_user(UserPoolId=pool, Username=email)
    event = json.loads(Path("events/signup/confirm.json").read_text())
    event |= {"region": "us-east-1", "userPoolId": pool, "userName": user["Username"]}
    event["callerContext"]["clientId"] = client
    event["request"]["userAttributes"] = {one["Name"]: one["Value"] for one in user["UserAttributes"]}
    invoked = stack.aws.client("lambda").invoke(FunctionName=trigger, Payload=json.dumps(event))
    assert json.load(invoked["Payload"]) == event


def sign_in(stack, client, email):
    """Returns the tokens. The flow is that of docs/deploy.md, which ministack accepts from every client."""
    cognito, pool = stack.aws.client("cognito-idp"), stack.outputs["UserPoolId"]
    settings = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    assert "ALLOW_ADMIN_USER_PASSWORD_AUTH" in settings["ExplicitAuthFlows"]
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]
