#!/usr/bin/env python3
"""Writes the tables of docs/cost.md about a million users (`make scale`), from the measured units of docs/data-model.md.

The first lines hold all assumptions. Needs only Python 3.
"""

import os
import re
from pathlib import Path

PAGE = Path("docs/cost.md")

# Prices in US dollars: AWS, us-east-1, on demand, entered by hand on 2026-11-22. Compare them with
# aws.amazon.com/dynamodb/pricing, /lambda/pricing and /api-gateway/pricing.
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
# A transaction consumes two write units for each of its items.
ITEM_WRITE_UNITS_OF_A_LIKE = 2

# Assumed load: active users a day, and the load of the busiest hour as a multiple of the average.
USERS = 1_000_000
BUSIEST_HOUR = 3.0
POSTS_A_SECOND = 1_000

# Action, times a day for each user, rows of the measured table, API requests, stream records.
DAY = [
    ("reads the home feed", 10, ["home, 20 of 240 posts, signed in, 10 liked"], 1, 0),
    ("reads a user's page", 3, ["user feed, 20 of 240 posts"], 1, 0),
    ("searches", 1, ["search, 20 of 100 posts"], 1, 0),
    ("posts", 1, ["a post", "consumer: a post"], 1, 1),
    ("deletes a post", 0.05, ["delete a post", "consumer: a deleted post"], 1, 1),
    ("replies", 0.5, ["a reply", "consumer: a reply"], 1, 1),
    ("likes", 3, ["a like", "consumer: a like"], 1, 1),
    ("sends a message", 1, ["a message", "consumer: a message"], 1, 1),
    ("reads the notifications", 3, ["notifications"], 1, 0),
    ("reads the messages", 2, ["messages, 20 of 24"], 1, 0),
]
# Lambda: memory as in the template; assumed durations, which only AWS can confirm; records in one invocation.
MEMORY_GB = 0.5
REQUEST_MS = 20
RECORD_MS = 20
BATCH = 10
# `ParallelizationFactor` of the template.
PARALLEL = 4
# Storage: bytes of a post with its index entry and search entries, and days until TTL removes it, on average.
POST_BYTES = 600 + 300 + 11 * 250
POST_DAYS = 7 + 1
# Shares of posts that contain the most common word of one or two letters, and a longer word with the most common three
# first letters.
COMMONEST_WORD = 0.5
COMMONEST_PREFIX = 0.6
# The default entry of src/store/schedule.rs.
SHARDS = 1
BUCKET_DAYS = 30

MONTH_DAYS = 30
DAY_SECONDS = 86_400


def main():
    costs = measured(Path("docs/data-model.md").read_text())
    per_user = [(what, often, *units(costs, rows), requests, records) for what, often, rows, requests, records in DAY]
    write(
        {
            "assumptions": assumptions(),
            "prices": [
                "| Price | US dollars |",
                "|---|---|",
                *(f"| {what} | {f'{amount:.10f}'.rstrip('0').rstrip('.')} |" for what, amount in PRICES.items()),
            ],
            "day": day(per_user),
            "month": month(per_user),
            "partitions": partitions(costs),
            "limits": limits(costs),
            "popular": popular(costs),
        }
    )


def write(tables):
    """Replaces these tables of the page."""
    written = PAGE.read_text()
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: written by `make scale` -->\n", f"<!-- end of {name} -->\n"
        before, rest = written.split(begin)
        _, after = rest.split(end)
        written = before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after
    PAGE.write_text(written)


def measured(text):
    """Returns read and write units by the name of the row, of both tables of costs."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| \d+ \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    return {name: (float(read), float(written)) for name, read, written in rows}


def units(costs, rows):
    missing = [row for row in rows if row not in costs]
    assert not missing, f"docs/data-model.md has no row {missing}"
    return sum(costs[row][0] for row in rows), sum(costs[row][1] for row in rows)


def assumptions():
    return [
        "| Assumption | Value |",
        "|---|---|",
        f"| memory of a function | {MEMORY_GB * 1024:.0f} MB |",
        f"| duration of a request; of a stream record | {REQUEST_MS} ms; {RECORD_MS} ms |",
        f"| records in a batch | {BATCH} |",
        f"| load of the busiest hour | {BUSIEST_HOUR:g} times the average |",
        f"| posts that contain the most common word of one or two letters | {COMMONEST_WORD:.0%} |",
        f"| posts with a word that begins with the most common three letters | {COMMONEST_PREFIX:.0%} |",
        f"| stored bytes of a post with its index entries; days that it is stored | {POST_BYTES:,}; {POST_DAYS} |",
    ]


def day(per_user):
    lines = ["| Action | Times a day | Read units each | Write units each |", "|---|---|---|---|"]
    lines += [f"| {what} | {often:g} | {read:g} | {written:g} |" for what, often, read, written, *_ in per_user]
    read = sum(often * read for _, often, read, *_ in per_user)
    written = sum(often * written for _, often, _, written, *_ in per_user)
    return [*lines, f"| **all** | | **{read:g} a day** | **{written:g} a day** |"]


def ordinary():
    """Posts of all users in an average second."""
    return USERS * next(often for what, often, *_ in DAY if what == "posts") / DAY_SECONDS


def factor():
    """How many times the average load of the million users `POSTS_A_SECOND` is."""
    return POSTS_A_SECOND / ordinary()


def month(per_user):
    price = list(PRICES.values())
    days = USERS * MONTH_DAYS
    reads = sum(often * read for _, often, read, *_ in per_user) * days
    writes = sum(often * written for _, often, _, written, *_ in per_user) * days
    requests = sum(often * count for _, often, _, _, count, _ in per_user) * days
    records = sum(often * count for _, often, *_, count in per_user) * days
    gigabytes = ordinary() * DAY_SECONDS * POST_DAYS * POST_BYTES / 1e9
    invocations = requests + records / BATCH
    seconds = (requests * REQUEST_MS + records * RECORD_MS) / 1000 * MEMORY_GB
    rows = [
        ("DynamoDB writes", f"{writes / 1e6:,.0f} million units", writes / 1e6 * price[0]),
        ("DynamoDB reads", f"{reads / 1e6:,.0f} million units", reads / 1e6 * price[1]),
        ("DynamoDB storage", f"{gigabytes:,.0f} GB", gigabytes * price[2]),
        ("Lambda requests", f"{invocations / 1e6:,.0f} million", invocations / 1e6 * price[3]),
        ("Lambda duration", f"{seconds / 1e6:,.2f} million GB-seconds", seconds * price[4]),
        ("REST API", f"{requests / 1e6:,.0f} million requests", requests / 1e6 * price[5]),
    ]
    total = sum(cost for *_, cost in rows)
    lines = [
        f"| A month | Amount | US dollars at {ordinary():.1f} posts a second | US dollars at {POSTS_A_SECOND:,} posts a second |",
        "|---|---|---|---|",
    ]
    lines += [f"| {what} | {amount} | {cost:,.0f} | {cost * factor():,.0f} |" for what, amount, cost in rows]
    return [*lines, f"| **all** | | **{total:,.0f}** | **{total * factor():,.0f}** |"]


def partitions(costs):
    home_read = costs["home, 20 of 240 posts"][0] / SHARDS
    search_read = 1.0
    per_second = {what: USERS * count / DAY_SECONDS for what, count, *_ in DAY}
    rows = []

    def add(what, limit, of_one_second):
        """`of_one_second` is the load of the average second of the million users."""
        busy = of_one_second * BUSIEST_HOUR
        rows.append(
            (
                what,
                f"{of_one_second:,.2f}",
                f"{busy / limit:.1%}",
                f"{of_one_second * factor() / limit:.0%}",
                f"{limit / of_one_second:,.0f} times",
            )
        )

    posts = per_second["posts"]
    add("`HOME#<bucket start>#<shard>`, writes: posts of one shard", PARTITION_WRITES, posts / SHARDS)
    add(
        "`HOME#<bucket start>#<shard>`, reads: every home feed reads every shard",
        PARTITION_READS,
        per_second["reads the home feed"] * home_read,
    )
    add(
        "`WORD#<prefix>*#<bucket start>#<shard>`, writes: the most common three first letters of a word",
        PARTITION_WRITES,
        posts * COMMONEST_PREFIX / SHARDS,
    )
    add(
        "`WORD#<word>#<bucket start>#<shard>`, writes: the most common word of one or two letters",
        PARTITION_WRITES,
        posts * COMMONEST_WORD / SHARDS,
    )
    add(
        f"stream consumer of that shard: {PARALLEL} records in parallel, {RECORD_MS} ms each",
        PARALLEL * 1000 / RECORD_MS,
        posts / SHARDS,
    )
    add(
        "`WORD#<word>#<bucket start>#<shard>`, reads: if every user searched for the same word",
        PARTITION_READS,
        per_second["searches"] * search_read,
    )
    return [
        f"| Partition | Units in an average second | Busiest hour | {POSTS_A_SECOND:,} posts a second | Headroom |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def limits(costs):
    home_read = costs["home, 20 of 240 posts"][0] / SHARDS
    posts = BUCKET_DAYS * DAY_SECONDS * POSTS_A_SECOND
    return [
        "| Limit | Value |",
        "|---|---|",
        f"| posts, by the shards of the home feed, {SHARDS} by default | {SHARDS * PARTITION_WRITES:,} a second |",
        f"| posts, by the most common three first letters | {SHARDS * PARTITION_WRITES / COMMONEST_PREFIX:,.0f} a second |",
        f"| home feeds | {PARTITION_READS / home_read:,.0f} a second |",
        f"| stream records of one shard, at a `ParallelizationFactor` of {PARALLEL} | {PARALLEL * 1000 / RECORD_MS:,.0f} a second |",
        (
            f"| one bucket ({BUCKET_DAYS} days) at {POSTS_A_SECOND:,} posts a second | {posts / 1e6:,.0f} million posts, "
            f"{posts * 600 / SHARDS / 1e9:,.0f} GB in each shard |"
        ),
    ]


def popular(costs):
    feed = costs["user feed, 20 of 240 posts"][0] - 2
    replies = costs["show, a post and 21 replies"][0] - 2
    likes = PARTITION_WRITES / ITEM_WRITE_UNITS_OF_A_LIKE
    return [
        "| Limit of one post or one user | A second |",
        "|---|---|",
        (
            "| likes, by the counter: transactions on one item exclude each other for one round trip within DynamoDB, about 5 to "
            "10 ms (not measured in AWS) | 100 to 200 |"
        ),
        f"| likes, by the item: {PARTITION_WRITES:,} write units, {ITEM_WRITE_UNITS_OF_A_LIKE} for each transaction | {likes:,.0f} |",
        (
            f"| likes, by the user's partition `LIKES#<sub>`: {PARTITION_WRITES:,} write units, {ITEM_WRITE_UNITS_OF_A_LIKE} each | "
            f"{likes:,.0f} |"
        ),
        (
            f"| views of a user's page with 240 posts, by `AUTHOR#<user uuid>` of the index: {feed:g} read units each | "
            f"{PARTITION_READS / feed:,.0f} |"
        ),
        (
            f"| views of a post with a page of the longest replies, by `ACTIVITY#<uuid>`: {replies:g} read units each | "
            f"{PARTITION_READS / replies:,.0f} |"
        ),
        f"| look-ups of a user, by `HANDLE#<handle>`: 1 read unit each | {PARTITION_READS:,} |",
    ]


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()
