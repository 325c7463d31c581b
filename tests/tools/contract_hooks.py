"""What a schema cannot say: the parts of a request that are only good if the server has given them, or once."""

import itertools

import schemathesis

_numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, **kwargs):
    if _is_valid(case, "query"):
        # Only a cursor of ours is one; altered and foreign ones are the business of `tests/it/bad_input.rs`.
        case.query.pop("cursor", None)
    if _is_valid(case, "header"):
        # A key stands for one request: with another body it is refused, and after a deletion it shows what was.
        for name in [name for name in case.headers if name.lower() == "idempotency-key"]:
            case.headers[name] = f"{next(_numbers)}-{case.headers[name]}"[:200]
    if _is_valid(case, "body") and isinstance(case.body, dict):
        # It must be the id of the path.
        case.body.pop("activity_uuid", None)


def _is_valid(case, component):
    """Whether this part of the request was made to be accepted."""
    if case.meta is None:
        return True
    info = {location.name.lower(): info for location, info in case.meta.components.items()}.get(component)
    return (info or case.meta.generation).mode.is_positive
