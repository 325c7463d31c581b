"""Adapts generated requests where validity depends on earlier responses, which a schema cannot express."""

import itertools

import schemathesis

_numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, **kwargs):
    if _is_valid(case, "query"):
        # Only the server creates valid cursors. `tests/it/bad_input.rs` covers invalid ones.
        case.query.pop("cursor", None)
    if _is_valid(case, "header"):
        # An idempotency key is valid for one request only.
        for name in [name for name in case.headers if name.lower() == "idempotency-key"]:
            case.headers[name] = f"{next(_numbers)}-{case.headers[name]}"[:200]
    if _is_valid(case, "body") and isinstance(case.body, dict):
        # It must equal the id in the path.
        case.body.pop("activity_uuid", None)


def _is_valid(case, component):
    """Returns whether this part of the request was generated as valid."""
    if case.meta is None:
        return True
    info = {location.name.lower(): info for location, info in case.meta.components.items()}.get(component)
    return (info or case.meta.generation).mode.is_positive
