#!/usr/bin/env python3
"""Computes docs/scale.md from the measured units of docs/data-model.md: `make scale` writes it, `make test` compares it.

Needs nothing but Python 3. What is assumed stands in the first lines; what is measured is read.
"""

import re
import textwrap
from pathlib import Path

# Prices in US dollars: AWS, us-east-1, on demand, as listed on 2026-11-22 to the author's knowledge. No program has
# looked them up: compare them with aws.amazon.com/dynamodb/pricing, /lambda/pricing and /api-gateway/pricing.
PRICES = {
    "a million DynamoDB write units": 0.625,
    "a million DynamoDB read units": 0.125,
    "a GB of DynamoDB storage for a month": 0.25,
    "a million Lambda requests": 0.20,
    "a GB-second of Lambda on arm64": 0.0000133334,
    "a million REST API requests": 3.50,
}

# DynamoDB's limits, from its developer guide.
PARTITION_WRITES = 1_000
PARTITION_READS = 3_000
# A transaction costs each of its items two write units, and a write of one item waits for none other than its own.
ITEM_WRITE_UNITS_OF_A_LIKE = 2

# What is assumed: a million users on a day, each so often; and how much of a day's load comes in its busiest hour.
USERS = 1_000_000
BUSIEST_HOUR = 3.0
POSTS_A_SECOND = 1_000

# (what a user does, how often a day, the rows of the measured table that it costs, requests of the API,
# records that the stream's consumer is invoked for)
DAY = [
    ("looks at the home feed", 10, ["home, 20 of 240 posts in two buckets"], 1, 0),
    ("looks at a user's page", 3, ["user feed, 20 of 240 posts"], 1, 0),
    ("searches", 1, ["search, 20 of 100 posts"], 1, 0),
    ("posts", 1, ["a post", "what follows from a post"], 1, 1),
    ("deletes a post", 0.05, ["delete a post", "what follows from the deletion of a post without any"], 1, 1),
    ("replies", 0.5, ["a reply", "what follows from a reply"], 1, 1),
    ("likes", 3, ["a like", "what follows from a like"], 1, 1),
    ("sends a message", 1, ["a message", "what follows from a message"], 1, 1),
    ("looks at the notifications", 3, ["notifications"], 1, 0),
    ("looks at the messages", 2, ["messages, 20 of 26"], 1, 0),
]
# Of Lambda: memory as in the template; how long a request and a record take, which only AWS can tell; and how many
# records one invocation of the consumer gets.
MEMORY_GB = 0.5
REQUEST_MS = 20
RECORD_MS = 20
BATCH = 10
# As the template has it.
PARALLEL = 4
# Of storage: bytes of a post with all that it is made of and belongs to it (the item, its copy in the index, its words),
# and how long one lives on average, until TTL has removed it.
POST_BYTES = 600 + 300 + 38 * 250
POST_DAYS = 7 + 1
# Words as people use them: what share of posts has the commonest word, and what share a word with the commonest letter
# at its beginning.
COMMONEST_WORD = 0.5
COMMONEST_LETTER = 0.9
SHARDS = 4
RECENT_BUCKETS = 2

MONTH_DAYS = 30
DAY_SECONDS = 86_400


def main():
    costs = measured(Path("docs/data-model.md").read_text())
    shards = int(re.search(r"SHARDS: \w+ = (\d+);", Path("src/store/keys.rs").read_text())[1])
    assert shards == SHARDS, f"src/store/keys.rs has {shards} shards"
    parallel = int(re.search(r"ParallelizationFactor: (\d+)", Path("template.yaml").read_text())[1])
    assert parallel == PARALLEL, f"template.yaml has a ParallelizationFactor of {parallel}"
    print(document(costs), end="")


def measured(text):
    """Read and write units by the name of the row, of both tables of costs."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| \d+ \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    return {name: (float(read), float(written)) for name, read, written in rows}


def document(costs):
    per_user = [(what, often, *units(costs, rows), requests, records) for what, often, rows, requests, records in DAY]
    posts_a_day = next(often for what, often, *_ in DAY if what == "posts")
    ordinary = USERS * posts_a_day / DAY_SECONDS
    factor = POSTS_A_SECOND / ordinary
    return wrapped([
        "# Scale",
        "",
        "Written by `make scale` from the measured units of [data-model.md](data-model.md). Everything else is an assumption, "
        "in the first lines of [`tests/tools/scale.py`](../tests/tools/scale.py): change it there, and run it again.",
        "",
        *day_of_a_user(per_user),
        *bill(per_user, ordinary, factor),
        *partitions(costs, ordinary, factor),
        *celebrity(costs),
        *growth(costs),
    ])


def wrapped(lines):
    """Paragraphs and items of lists in lines of 128 characters; tables and headings as they are."""
    out = []
    for line in lines:
        if not line or line[0] in "|#":
            out.append(line)
        else:
            out += textwrap.wrap(line, 128, subsequent_indent="  " if line.startswith("- ") else "",
                                 break_long_words=False, break_on_hyphens=False)
    return "\n".join(out) + "\n"


def units(costs, rows):
    missing = [row for row in rows if row not in costs]
    assert not missing, f"docs/data-model.md has no row {missing}"
    return sum(costs[row][0] for row in rows), sum(costs[row][1] for row in rows)


def day_of_a_user(per_user):
    lines = ["## A user's day", "",
             "With what the stream's consumer does of it. A post that expires, with all that belongs to it, costs nothing: TTL "
             "removes it.", "",
             "| a user | a day | read units each | write units each |", "|---|---|---|---|"]
    lines += [f"| {what} | {often:g} | {read:g} | {written:g} |" for what, often, read, written, *_ in per_user]
    read = sum(often * read for _, often, read, *_ in per_user)
    written = sum(often * written for _, often, _, written, *_ in per_user)
    return lines + [f"| **all** | | **{read:g} a day** | **{written:g} a day** |", ""]


def bill(per_user, ordinary, factor):
    price = list(PRICES.values())
    days = USERS * MONTH_DAYS
    reads = sum(often * read for _, often, read, *_ in per_user) * days
    writes = sum(often * written for _, often, _, written, *_ in per_user) * days
    requests = sum(often * count for _, often, _, _, count, _ in per_user) * days
    records = sum(often * count for _, often, *_, count in per_user) * days
    posts = ordinary * DAY_SECONDS * POST_DAYS
    gigabytes = posts * POST_BYTES / 1e9
    invocations = requests + records / BATCH
    seconds = (requests * REQUEST_MS + records * RECORD_MS) / 1000 * MEMORY_GB
    rows = [
        ("DynamoDB, writes", f"{writes / 1e6:,.0f} million units", writes / 1e6 * price[0]),
        ("DynamoDB, reads", f"{reads / 1e6:,.0f} million units", reads / 1e6 * price[1]),
        ("DynamoDB, storage", f"{gigabytes:,.0f} GB", gigabytes * price[2]),
        ("Lambda, requests", f"{invocations / 1e6:,.0f} million", invocations / 1e6 * price[3]),
        ("Lambda, time", f"{seconds / 1e6:,.2f} million GB-seconds", seconds * price[4]),
        ("REST API", f"{requests / 1e6:,.0f} million requests", requests / 1e6 * price[5]),
    ]
    total = sum(cost for *_, cost in rows)
    post = next(row for row in per_user if row[0] == "posts")
    post_writes = post[3]
    share = post[1] * post_writes * days / writes
    lines = ["## A month's bill", "",
             f"A million users who do that every day post {ordinary:.1f} times a second. A thousand posts a second are "
             f"{factor:.1f} times as much, of everything: as if there were {USERS * factor / 1e6:.0f} million such users, or "
             "each of the million did all that so much more often.", "",
             f"| | a million users | US dollars | a thousand posts a second, US dollars |", "|---|---|---|---|"]
    lines += [f"| {what} | {amount} | {cost:,.0f} | {cost * factor:,.0f} |" for what, amount, cost in rows]
    lines += [f"| **all** | | **{total:,.0f}** | **{total * factor:,.0f}** |", "",
              "Reading the stream is free for Lambda, and so is what TTL removes. Not counted: traces, logs, data that leaves "
              "AWS, backups, the user pool, free tiers, and discounts.", "", "Prices, to be checked by who relies on them:", ""]
    lines += [f"- {what}: ${amount:.10f}".rstrip("0").rstrip(".") for what, amount in PRICES.items()]
    lines += ["",
              f"Search is what a post costs: of the {post_writes:g} write units of a post, 2 are the post and its "
              f"line in the index of lists; the others put the {post_writes - 2:g} items of its words and their "
              f"beginnings, whose own TTL takes them away again. Posts are {share:.0%} of all write units. A search engine beside the "
              "table would change that.",
              ""]
    return lines


def partitions(costs, ordinary, factor):
    home_read = costs["home, 20 of 240 posts in two buckets"][0] / (SHARDS * RECENT_BUCKETS)
    search_read = 1.0
    often = {what: count for what, count, *_ in DAY}
    per_second = {what: USERS * count / DAY_SECONDS for what, count in often.items()}
    rows = []

    def add(what, limit, of_one_second):
        """`of_one_second` is the load of the average second of the million users."""
        busy = of_one_second * BUSIEST_HOUR
        rows.append((what, f"{of_one_second:,.2f}", f"{busy / limit:.1%}", f"{of_one_second * factor / limit:.0%}",
                     f"{limit / of_one_second:,.0f} times"))

    posts = per_second["posts"]
    add("`HOME#<bucket>#<shard>`, writes: the posts of one shard", PARTITION_WRITES, posts / SHARDS)
    add("`HOME#<bucket>#<shard>`, reads: every home feed reads each", PARTITION_READS,
        per_second["looks at the home feed"] * home_read)
    add("`WORD#<letter>*#<bucket>#<shard>`, writes: the commonest letter at a word's beginning", PARTITION_WRITES,
        posts * COMMONEST_LETTER / SHARDS)
    add("`WORD#<word>#<bucket>#<shard>`, writes: the commonest word", PARTITION_WRITES, posts * COMMONEST_WORD / SHARDS)
    per_shard = PARALLEL * 1000 / RECORD_MS
    add(f"the stream's consumer of that shard: {PARALLEL} records at a time of {RECORD_MS} ms each", per_shard,
        posts / SHARDS)
    add("`WORD#<word>#<bucket>#<shard>`, reads: if everybody searched for the same word", PARTITION_READS,
        per_second["searches"] * search_read)
    lines = ["## Where each partition stands", "",
             f"One partition takes {PARTITION_WRITES:,} write units and {PARTITION_READS:,} read units a second. The average second "
             f"of a million users; how full the partition is in the busiest hour, which has {BUSIEST_HOUR:g} times the "
             "average; how full at a steady thousand posts a second; and how much more than the average of a million users there "
             "can be.", "",
             "| partition | units a second | busiest hour | a thousand posts a second | room |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    homes = PARTITION_READS / home_read
    lines += ["",
              "Over 100% the rest is refused: DynamoDB throttles, the SDK tries three times, and the client sees 503 `throttled` with "
              "`Retry-After`. Keys of one user (`USER#`, `NOTIFICATIONS#`, `AUTHOR#` and `INBOX#` of the index, `GROUP#`, `PAIR#`, "
              "`HANDLE#`, `IDEMPOTENCY#`) have the load of one user or of two, whatever the number of users.", "",
              f"- Writing, the four shards hold out to {SHARDS * PARTITION_WRITES:,} posts a second, and those of the commonest letter "
              f"to {SHARDS * PARTITION_WRITES / COMMONEST_LETTER:,.0f}.",
              f"- Reading, they hold out to {homes:,.0f} home feeds a second, since each of them reads all shards: more shards make "
              "this neither better nor worse by much, as each then has fewer of a page's posts but at least one query. What "
              "helps is that the feed of who is not signed in is the same for everybody: kept for one second by the gateway or a "
              "content network, it is read once a second. A thousand posts a second in the proportions above need that.",
              f"- A bucket of seven days at a thousand posts a second is {7 * DAY_SECONDS * POSTS_A_SECOND / 1e6:,.0f} million posts, "
              f"{7 * DAY_SECONDS * POSTS_A_SECOND * 600 / SHARDS / 1e9:,.0f} GB in each shard. DynamoDB splits a key's items by the "
              "sort key when they are that many; the newest ones, which all writes and reads are for, stay together.",
              f"- The stream's consumer does the records of a batch one after the other, and Lambda gives it {PARALLEL} batches of a "
              f"shard of the stream at a time (`ParallelizationFactor`, which may be 10). So it keeps up with {per_shard:,.0f} records a "
              "second of each; beyond that search, notifications and names come later and later, and nothing is lost for a day. "
              "A steady thousand posts a second need a factor of 10, or records of different items done beside each other.", ""]
    return lines


def celebrity(costs):
    feed = costs["user feed, 20 of 240 posts"][0] - 2
    replies = costs["show, a post and 21 replies"][0] - 2
    likes = PARTITION_WRITES / ITEM_WRITE_UNITS_OF_A_LIKE
    return ["## A celebrity's post", "",
            "A like is a transaction of two items: the like's own, which is in the post's partition, and the counter in the "
            "post. So there are three limits for one post, of which the first counts:", "",
            "| limit | likes a second |", "|---|---|",
            "| the counter: transactions on one item exclude each other, one round trip within DynamoDB each, some 5 to 10 ms "
            "(to be measured in AWS) | 100 to 200 |",
            f"| the item: {PARTITION_WRITES:,} write units, {ITEM_WRITE_UNITS_OF_A_LIKE} for each transaction | {likes:,.0f} |",
            f"| the partition `ACTIVITY#<uuid>` of the likes: {PARTITION_WRITES:,} write units, "
            f"{ITEM_WRITE_UNITS_OF_A_LIKE} each | {likes:,.0f} |", "",
            "Above the first one, transactions begin to fail with `TransactionConflict`. Each is tried six times within "
            "about a second; then the client sees **503** with `code` `throttled` and `Retry-After: 1`. Nothing is half written: there "
            "is no like without its count and no count without its like, and whoever tries again with the same `PUT` likes once. "
            "The failed attempts are billed too, up to six times the price of a like.", "",
            "Everybody else is hardly touched: the counter is in the post's own item, so a hot post takes its share of one of "
            "four shards' writes. Other posts of that shard lose as much, until DynamoDB moves the hot item to a partition of its "
            "own, which takes it minutes.", "",
            "Those who look at the celebrity share partitions too:", "",
            "| what they look at | partition | read units each | views a second |", "|---|---|---|---|",
            f"| the user's page, of some 240 posts | `AUTHOR#<user uuid>` of the index | {feed:g} | {PARTITION_READS / feed:,.0f} |",
            f"| the post with a page of the longest replies | `ACTIVITY#<uuid>` | {replies:g} | {PARTITION_READS / replies:,.0f} |",
            f"| who it is | `HANDLE#<handle>` | 1 | {PARTITION_READS:,} |", "",
            "Most of the page's cost is the count of the user's live posts, which is counted anew for each view. What is beyond these "
            "figures is 503 with `Retry-After` for the viewers of that page; what helps is the same as for the home feed, an "
            "answer kept for a second in front of the API.", "",
            "- Replies have the same limit, as they are counted in the post too.",
            "- Of more than 100 likes nobody is told each time: notifications do not grow with fame.",
            "- When the post is deleted, its likes go by 2,500 for each time that the record comes. When it expires, by their own TTL.",
            "- The way beyond: likes that are put without a counter, and counted by the stream's consumer some seconds later. The "
            "counts are then late, and no longer equal to the rows at every moment, which is what is promised now.", ""]


def growth(costs):
    name = costs["what follows from the name"]
    return ["## What grows with what", "",
            "| | grows with |", "|---|---|",
            "| every request | nothing: each has a limit of items |",
            f"| a new name | the user's own posts, replies and conversations: {name[1]:g} write units for 241 posts |",
            "| the deletion of a post | its replies, likes, reposts and words |",
            "| an unread count | nothing: it stops at 100; a count of posts at 1,000 |",
            "| the table | live posts, 30 days of notifications of conversations, messages and users without end |"]


if __name__ == "__main__":
    main()
