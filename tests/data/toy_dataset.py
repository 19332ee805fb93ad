"""A three-rating data set in ml-100k's format."""

import zipfile

RATINGS = b"1\t10\t5\t100\n1\t20\t3\t101\n2\t10\t4\t102\n"
USERS = b"1|24|M|writer|85711\n2|53|F|other|94043\n"
ITEMS = (
    "10|Léon (1994)|01-Jan-1994||http://x|0|1" + "|0" * 17 + "\n"
    "20|<script>alert(1)</script> (1995)|01-Jan-1995||http://x|0|0|0|1" + "|0" * 14 + "|1\n"
).encode("latin-1")
FILES = {"u.data": RATINGS, "u.user": USERS, "u.item": ITEMS}


def zip_of(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path
