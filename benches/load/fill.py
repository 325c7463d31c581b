"""Copies the posts in the local server's database until it contains a number of posts. The server must be stopped.

The copies differ only in the last digits of their ids. Their index items are copied too, so that the stream consumer has
nothing to do. Creating 100,000 posts through the API would take minutes.
"""

import re
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path

TABLE = "cruddur"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
# The SQLite tables, their columns, and how many of the columns are keys.
ITEMS = f'"{TABLE}"', ("pk", "sk", "item_json", "item_size", "hash_prefix"), 2
LISTS = f'"{TABLE}::gsi::lists"', ("gsi_pk", "gsi_sk", "table_pk", "table_sk", "item_json"), 4


def main(file: str, wanted: int) -> None:
    if not Path(file).exists():
        sys.exit(f"{file} does not exist")
    database = sqlite3.connect(file)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -200000")
    posts = [ID.search(sk).group() for (sk,) in database.execute(f"SELECT sk FROM {ITEMS[0]} WHERE pk LIKE '%HOME#%'")]
    copies = max(0, -(-wanted // len(posts)) - 1)
    for table, columns, keys in (ITEMS, LISTS):
        names = ", ".join(columns)
        rows = defaultdict(list)
        for row in database.execute(f"SELECT {names} FROM {table}"):
            for found in {found for key in row[:keys] for found in ID.findall(key)}.intersection(posts):
                rows[found].append(row)
        insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
        for post, originals in rows.items():
            for number in range(1, copies + 1):
                copy = post[:24] + f"{number:012x}"
                values = [
                    [value.replace(post, copy) if isinstance(value, str) else value for value in row]
                    for row in originals
                ]
                # An unchanged key would be a duplicate, which SQLite rejects.
                database.executemany(insert, values)
    database.commit()
    # Otherwise the server would write the whole log into the file under load.
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    print(len(posts) * (copies + 1))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
