"""A Python function that the X-Ray SDK instruments. It prints each document that it sends."""

import contextlib

from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter
from aws_xray_sdk.core.lambda_launcher import check_in_lambda


class PrintingEmitter(UDPEmitter):
    def send_entity(self, entity):
        print(entity.serialize())
        super().send_entity(entity)


def handler():
    with xray_recorder.in_subsegment("home-activities") as work:
        work.put_annotation("user", "worf")
        work.put_annotation("found", 20)
        work.put_metadata("feed", {"shards": [1, 2.5, None, True], "text": "prune juice \u2615"}, "cruddur")
        with xray_recorder.in_subsegment("DynamoDB", namespace="aws") as query:
            query.set_aws({"operation": "Query", "table_name": "cruddur", "region": "eu-west-1"})
            query.put_http_meta("status", 200)
        with contextlib.suppress(LookupError), xray_recorder.in_subsegment("parse"):
            raise LookupError("no <b>user</b>")


def main():
    xray_recorder.configure(emitter=PrintingEmitter(), stream_sql=False)
    if check_in_lambda():
        # Lambda itself sends the segment.
        handler()
        return
    xray_recorder.configure(service="users", sampling=False)
    with xray_recorder.in_segment("users") as segment:
        segment.put_http_meta("method", "GET")
        segment.put_http_meta("url", "http://127.0.0.1/users?q=\u2615")
        segment.put_http_meta("status", 500)
        handler()


if __name__ == "__main__":
    main()
