"""What users do on a deployed stack: sign up, sign in, post, reply, write to each other, search, and delete."""

import json
from pathlib import Path

from answers import masked
from waiting import wait_for

# Who signs up on the page.
ANDREW = "you@example.com"
PASSWORD = "Correct-horse-7"
MESSAGE = "Hello from the cloud, @worf!"


def sign_up(report, stack, name, handle):
    """Returns the tokens of a new user."""
    cognito, client = stack.aws.client("cognito-idp"), stack.outputs["UserPoolClientId"]
    email = f"{handle}@example.com"
    attributes = {"email": email, "name": name, "preferred_username": handle}
    cognito.sign_up(ClientId=client, Username=email, Password=PASSWORD,
                    UserAttributes=[{"Name": key, "Value": value} for key, value in attributes.items()])
    cognito.confirm_sign_up(ClientId=client, Username=email, ConfirmationCode="123456")
    confirm(report, stack, email)
    return sign_in(stack, client, email)


def confirm(report, stack, email):
    """What Cognito does and ministack does not, once a new user is confirmed: it invokes the pool's trigger."""
    cognito = stack.aws.client("cognito-idp")
    pool, client = stack.outputs["UserPoolId"], stack.outputs["UserPoolClientId"]
    trigger = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["LambdaConfig"]["PostConfirmation"]
    user = cognito.admin_get_user(UserPoolId=pool, Username=email)
    event = json.loads(Path("events/signup/confirm.json").read_text())
    event |= {"region": "us-east-1", "userPoolId": pool, "userName": user["Username"]}
    event["callerContext"]["clientId"] = client
    event["request"]["userAttributes"] = {one["Name"]: one["Value"] for one in user["UserAttributes"]}
    invoked = stack.aws.client("lambda").invoke(FunctionName=trigger, Payload=json.dumps(event))
    report.compare(f"the pool's trigger, for {email}", event, json.load(invoked["Payload"]))


def sign_in(stack, client, email):
    """As docs/operate.md does. ministack does not look whether the client allows it."""
    cognito, pool = stack.aws.client("cognito-idp"), stack.outputs["UserPoolId"]
    settings = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    if "ALLOW_ADMIN_USER_PASSWORD_AUTH" not in settings["ExplicitAuthFlows"]:
        raise SystemExit(f"The client allows no sign-in by ADMIN_USER_PASSWORD_AUTH: {settings['ExplicitAuthFlows']}")
    answer = cognito.admin_initiate_auth(UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                                         AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD})
    return answer["AuthenticationResult"]


def refuse(report, stack, users):
    """Whoever shows no access token of the pool and its client may not post; the function looks at it itself."""
    cognito = stack.aws.client("cognito-idp")
    other = cognito.create_user_pool_client(
        UserPoolId=stack.outputs["UserPoolId"], ClientName="other", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"])
    token = users[0]["AccessToken"]
    head, claims, signature = token.split(".")
    others = sign_in(stack, other["UserPoolClient"]["ClientId"], "worf@example.com")
    for who, shown, code in [
        ("nobody", None, "unauthenticated"),
        ("an id token", users[0]["IdToken"], "bad_token"),
        ("a token of another client", others["AccessToken"], "bad_token"),
        ("a token with another's signature", f"{head}.{claims}.{users[1]['AccessToken'].split('.')[2]}", "bad_token"),
    ]:
        body = {"message": "No", "ttl": "1-day"}
        status, headers, problem = stack.ask("POST /api/activities", token=shown, body=body)
        report.compare(f"{who} may not post", (401, code, headers.get("x-trace-id")),
                       (status, problem.get("code"), problem.get("trace_id")))


def converse(report, stack, users):
    """Returns the id of the post. What follows from it and from the reply is also that both go, in the end."""
    andrew, worf = [user["AccessToken"] for user in users]
    status, _, post = stack.ask("POST /api/activities", token=andrew, body={"message": MESSAGE, "ttl": "7-days"},
                                follows={"activity-written", "activity-gone"})
    report.compare("a post", (200, MESSAGE, "andrewbrown"), (status, post["message"], post["handle"]))
    status, _, reply = stack.ask("POST /api/activities/{activity_uuid}/reply", token=worf,
                                 path=f"/api/activities/{post['uuid']}/reply", body={"message": "It has no honor!"},
                                 follows={"activity-written", "activity-gone"})
    report.compare("a reply", (200, post["uuid"]), (status, reply["reply_to_activity_uuid"]))
    status, _, home = stack.ask("GET /api/activities/home")
    report.compare("home", (200, [(MESSAGE, 1), ("Hello", 0)]), (status, [(one["message"], one["replies_count"]) for one in home]))
    _, _, shown = stack.ask("GET /api/activities/{activity_uuid}", path=f"/api/activities/{post['uuid']}")
    report.compare("the post and its reply", (post["uuid"], [reply["uuid"]]),
                   (shown["activity"]["uuid"], [one["uuid"] for one in shown["replies"]]))

    status, _, sent = stack.ask("POST /api/messages", token=andrew, body={"message": "Qapla'!", "handle": "worf"},
                                follows={"conversation-opened", "message-sent"})
    report.compare("a message", (200, {"message_group_uuid": "<uuid v7>"}), (status, masked(sent)))
    group = sent["message_group_uuid"]
    _, _, messages = stack.ask("GET /api/messages/{message_group_uuid}", token=worf, path=f"/api/messages/{group}")
    report.compare("the other one reads it", [("andrewbrown", "Qapla'!")],
                   [(one["handle"], one["message"]) for one in messages])
    _, _, groups = stack.ask("GET /api/message_groups", token=worf)
    report.compare("in a conversation", [(group, "andrewbrown")], [(one["uuid"], one["handle"]) for one in groups])

    # These come by the stream.
    report.compare("andrewbrown is told", [("reply", "worf")], told(stack, andrew, 1))
    report.compare("worf is told", [("conversation", "andrewbrown"), ("mention", "andrewbrown")], told(stack, worf, 2))
    report.compare("search", [post["uuid"]], searched(stack, "cloud"))
    return post["uuid"]


def told(stack, token, count):
    """Of each notification its kind and whose doing it is, once there are `count` of them."""
    def ask():
        notifications = stack.ask("GET /api/activities/notifications", token=token)[2]
        return sorted((one["kind"], one["handle"]) for one in notifications)
    wait_for(lambda: len(ask()) >= count)
    return ask()


def searched(stack, term):
    def ask():
        found = stack.ask("GET /api/activities/search", path=f"/api/activities/search?term={term}")[2]
        return [one["uuid"] for one in found]
    wait_for(ask)
    return ask()


def remove(report, stack, users, post):
    status, _, _ = stack.ask("DELETE /api/activities/{activity_uuid}", token=users[0]["AccessToken"],
                             path=f"/api/activities/{post}")
    report.compare("whoever was signed in can delete the post", 200, status)
    _, _, home = stack.ask("GET /api/activities/home")
    report.compare("and it is gone from home", ["Hello"], [one["message"] for one in home])
