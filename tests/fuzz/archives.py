"""Archives of a data set, whole, damaged and hostile."""

import io
import random
import tarfile
import warnings
import zipfile
from pathlib import Path

from data.download import SOURCES, Source, download

from .harness import Case
from .mutations import damaged, displaced

MOST = 10**6
FILES = {
    "plate/train/good/0.png": b"picture " * 200,
    "plate/train/good/1.png": b"other",
    "plate/test/bad/0.png": b"\0" * 99,
}
NAMES = [
    "../up",
    "/nowhere/up",
    "plate/../../up",
    "C:\\up",
    "..\\up",
    "a/" * 300 + "b",
    "L" * 300,
    "",
    ".",
    "plate",
    "\0",
]
NAMES += [
    "plate/train/good/0.png",
    "plate/train/good/0.png/inside",
    "é",
    "\udcff",
    "con",
    "a\nb",
    "\x1b[31m",
    "~",
    "-rf",
]
LINKS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, b"Z"]


class Archives:
    """A tiny data set as zip or tar, with members that lead elsewhere, link, or never end."""

    def __init__(self, place: Path) -> None:
        SOURCES["tiny"] = Source(
            "Tiny", "https://example.org", "https://example.org/tiny", None, ("*/train/good",), MOST
        )

    def case(self, rng: random.Random, folder: Path) -> Case:
        hostile, broken = rng.random() < 0.4, rng.random() < 0.5
        is_zip = rng.random() < 0.4
        data = (_zip if is_zip else _tar)(rng, hostile)
        path, out = folder / "tiny.archive", folder / "data" / "tiny"
        path.write_bytes(damaged(rng, data) if broken else data)
        before = {path.name}
        broken |= displaced(rng, path)

        def check(found: Path) -> None:
            assert found == out.resolve()
            there = list(out.rglob("*"))
            assert not any(place.is_symlink() or not (place.is_file() or place.is_dir()) for place in there)
            files = {place.relative_to(out).as_posix(): place.read_bytes() for place in there if place.is_file()}
            assert sum(map(len, files.values())) <= MOST
            if not broken and not hostile:
                assert files == FILES
            elif is_zip and not hostile:  # every file has a checksum
                assert all(content in FILES.values() for content in files.values())

        def read() -> Path:
            try:
                return download("tiny", str(path), out)
            except BaseException:
                assert not out.exists() and not list(out.parent.glob(".*")) if out.parent.exists() else True, "left"
                assert {place.name for place in folder.iterdir()} <= {*before, "data"}
                raise

        kind = f"{'hostile ' * hostile}{'broken ' * broken}{'zip' if is_zip else 'tar'}"
        return Case(kind, read, check, ("tiny",))


def _zip(rng: random.Random, hostile: bool) -> bytes:
    file = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        for _ in range(rng.randrange(1, 3) if hostile else 0):
            info = zipfile.ZipInfo(rng.choice(NAMES).encode("utf-8", "replace").decode() or "x")
            info.external_attr = rng.choice([0, 0o120777 << 16, 0o010666 << 16])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of zipfile about names that are there twice
                archive.writestr(
                    info, rng.choice([b"x", b"../up", b"\0" * 10**7 if rng.random() < 0.3 else b""]), method
                )
    return file.getvalue()


def _tar(rng: random.Random, hostile: bool) -> bytes:
    file, mode = io.BytesIO(), rng.choice(["w", "w:gz", "w:bz2", "w:xz"])
    with tarfile.open(fileobj=file, mode=mode, format=rng.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])) as archive:
        members = [(name, content, tarfile.REGTYPE) for name, content in FILES.items()]
        for _ in range(rng.randrange(1, 3) if hostile else 0):
            kind = rng.choice([tarfile.REGTYPE, tarfile.DIRTYPE, *LINKS])
            members.insert(rng.randrange(4), (rng.choice(NAMES) or "x", b"", kind))
        for name, content, kind in members:
            member = tarfile.TarInfo(name.replace("\0", ""))
            member.size, member.type, member.mode = len(content), kind, rng.choice([0o644, 0o644, 0o000, 0o7777])
            if kind in LINKS:
                member.linkname = rng.choice(["../up", "/nowhere", "plate", "missing", ".", ""])
            archive.addfile(member, io.BytesIO(content))
        if hostile and rng.random() < 0.3:
            archive.addfile(*_endless(rng))
    return file.getvalue()


def _endless(rng: random.Random) -> tuple[tarfile.TarInfo, io.BytesIO]:
    """A member of zeros, or a sparse one of a terabyte."""
    member = tarfile.TarInfo("plate/large")
    if rng.random() < 0.5:
        member.size = 10**7
        return member, io.BytesIO(b"\0" * 10**7)
    member.pax_headers = {"GNU.sparse.size": str(10**12), "GNU.sparse.map": "0,0", "GNU.sparse.realsize": str(10**12)}
    return member, io.BytesIO()
