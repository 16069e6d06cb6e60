"""Get a public anomaly-detection data set and unpack it into data/<name>/.

    python -m data.download smap      # NASA SMAP and MSL telemetry, one archive for both spacecraft
    python -m data.download mvtec     # MVTec AD
    python -m data.download visa      # VisA

A broken download goes on where it stopped when the same command runs again. From a mirror, from an archive
fetched by hand, into another folder:

    python -m data.download mvtec --url https://mirror.example/mvtec_anomaly_detection.tar.xz
    python -m data.download smap --url ~/Downloads/archive.zip
    python -m data.download visa --dest /big/disk/visa
"""

import argparse
import contextlib
import csv
import lzma
import shutil
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pooch
import requests
from pooch.utils import unique_file_name
from tqdm import tqdm

from data.telemanom import LABEL_FILE, NESTINGS
from runtime.errors import InputError, exit_code, unknown_name
from runtime.files import atomic_folder, make_folder


@dataclass(frozen=True)
class Source:
    """Where a data set comes from and how its folder looks."""

    title: str
    page: str  # where a person gets the archive with a browser
    url: str
    sha256: str | None
    layout: tuple[str, ...]  # one of these patterns matches in the data set's folder
    channels: int = 0  # rows of labeled_anomalies.csv; 0 for a data set without that table


SOURCES = {
    "smap": Source(
        "SMAP & MSL (on Kaggle: 'NASA Anomaly Detection Dataset SMAP & MSL')",
        "https://www.kaggle.com/datasets/patrickfleith/nasa-anomaly-detection-dataset-smap-msl",
        "https://s3-us-west-2.amazonaws.com/telemanom/data.zip",
        None,  # the archive was moved and packed anew more than once: its contents are checked instead
        tuple(str(PurePosixPath(nested) / "train/*.npy") for nested in NESTINGS),
        channels=82,
    ),
    "mvtec": Source(
        "MVTec AD",
        "https://www.mvtec.com/company/research/datasets/mvtec-ad",
        "https://www.mydrive.ch/shares/38536/3830184030e49fe74747669442f0f282/download/420938113-1629952094/"
        "mvtec_anomaly_detection.tar.xz",
        "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d",
        ("*/train/good",),
    ),
    "visa": Source(
        "VisA",
        "https://github.com/amazon-science/spot-diff",
        "https://amazon-visual-anomaly.s3.us-west-2.amazonaws.com/VisA_20220922.tar",
        "2eb8690c803ab37de0324772964100169ec8ba1fa3f7e94291c9ca673f40f362",
        ("*/Data/Images/Normal",),
    ),
}
LABELS_URL = f"https://raw.githubusercontent.com/khundman/telemanom/master/{LABEL_FILE}"
# what the readers of tar, zip and npy files raise; RuntimeError is an encrypted zip
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,
)
TIMEOUT = (20, 60)  # seconds to connect, and between two pieces of the answer


class _BadArchive(InputError):
    """The archive cannot be unpacked or does not hold the data set: a downloaded copy is of no more use."""


def download(name: str, url: str | None = None, destination: str | Path | None = None) -> Path:
    """Download and unpack the data set `name` ("smap", "mvtec" or "visa") and return its folder.

    `url` is an http(s):// or file:// address or a local path, by default the published one; `destination` is
    data/<name> by default. A destination that holds the whole data set is left as it is.

    Raises InputError for an unknown name, a destination that holds something else, a failed download, a wrong
    sha256, and an archive that is damaged, unsafe or not this data set. No half-unpacked folder stays behind.
    """
    if name not in SOURCES:
        raise unknown_name("data set", name, list(SOURCES))
    source = SOURCES[name]
    url = url or source.url
    # resolved, so that a link to a bigger disk stays a link
    destination = Path(destination or Path(__file__).parent / name).expanduser().resolve()
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        _refuse_other_content(source, destination)
        print(f"{destination}: {name} is already there")
        return destination

    by_hand = (
        f"By hand: get the archive of {source.title} from {source.page}, then run "
        f"`python -m data.download {name} --url PATH_TO_ARCHIVE`, or unpack it into {destination}."
    )
    downloads = destination.with_name(f".{destination.name}.download")
    remote = url.startswith(("http://", "https://"))
    archive = _fetch(url, source.sha256, downloads, by_hand) if remote else _local_file(url, source.sha256)
    print(f"unpacking {archive.name} into {destination}")
    try:
        with atomic_folder(destination) as folder:
            _unpack(archive, folder)
            _unwrap(source, folder)
            if source.channels and _has_layout(source, folder) and not (folder / LABEL_FILE).exists():
                beside = archive.with_name(LABEL_FILE)
                if beside.is_file():
                    shutil.copyfile(beside, folder / LABEL_FILE)
                else:
                    by_hand += f" {LABEL_FILE} goes beside the archive, or into the folder if you unpack it."
                    _fetch(LABELS_URL, None, folder, by_hand, LABEL_FILE)
            _check(source, folder)
    except _BadArchive as error:
        if remote:
            archive.unlink()
        raise InputError(f"{url}: {error}. Fetch it again or from elsewhere. {by_hand}") from error
    finally:
        with contextlib.suppress(OSError):  # not empty: it keeps an archive that can still be used
            downloads.rmdir()
    shutil.rmtree(downloads, ignore_errors=True)
    print(f"{destination}: {name} is ready")
    return destination


def _refuse_other_content(source: Source, destination: Path) -> None:
    """Raise InputError unless `destination` holds the data set: it is never overwritten."""
    try:
        _check(source, destination)
    except InputError as error:
        raise InputError(
            f"{destination}: is there, but is not the complete data set ({error}). "
            "Move it away, or choose another folder with --dest."
        ) from error


def _local_file(url: str, sha256: str | None) -> Path:
    """The file at a file:// address or local path; InputError where it is missing or its sha256 is wrong."""
    path = Path(url2pathname(urlsplit(url).path) if url.startswith("file://") else url).expanduser()
    if not path.is_file():
        raise InputError(f"{url}: no such file. Give the path of an archive or an http(s):// address.")
    found = pooch.file_hash(str(path)) if sha256 else None
    if found != sha256:
        raise InputError(
            f"{url}: wrong sha256, expected {sha256}, found {found}. It is incomplete or another archive "
            "than the published one: fetch it again."
        )
    return path


def _fetch(url: str, sha256: str | None, folder: Path, by_hand: str, file_name: str | None = None) -> Path:
    """Download `url` into `folder` with a check of its sha256; InputError with the remedy `by_hand`."""
    make_folder(folder)
    pooch.get_logger().setLevel("WARNING")  # its notes are for programmers who keep a list of hashes
    try:
        return Path(pooch.retrieve(url, sha256, fname=file_name, path=folder, downloader=_resume))
    except OSError as error:  # requests' errors are OSErrors too
        again = "The same command goes on where it stopped. " if (folder / _part_name(url)).exists() else ""
        raise InputError(f"{url}: the download failed ({_reason(error)}). {again}{by_hand}") from error
    except ValueError as error:  # how pooch reports a wrong hash; it has deleted the file
        raise InputError(f"{url}: {error} Try again. {by_hand}") from error
    finally:
        with contextlib.suppress(OSError):  # removes it only when nothing was kept
            folder.rmdir()


def _part_name(url: str) -> str:
    """The name of the unfinished download: differs between addresses, so that two archives never mix."""
    return f"{unique_file_name(url)}.part"


def _resume(url: str, output_file: str, _pooch: object) -> None:
    """Downloader for pooch: goes on with the .part file that a broken download left.

    Raises requests.RequestException, or OSError where the file cannot be written; the .part file stays.
    """
    part = Path(output_file).with_name(_part_name(url))
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # byte ranges count the bytes of the file itself
    if done:
        headers["Range"] = f"bytes={done}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        span = response.headers.get("Content-Range", "")
        whole = response.status_code == 416 and span == f"bytes */{done}"
        continues = response.status_code == 206 and span.startswith(f"bytes {done}-")
        if done and response.status_code in (206, 416) and not whole and not continues:
            part.unlink()  # of another version of the file
            return _resume(url, output_file, _pooch)
        if not whole:
            response.raise_for_status()
            _save(response, part, done if continues else 0)
    part.replace(output_file)


def _save(response: requests.Response, part: Path, done: int) -> None:
    """Write the answer to `part`, after its first `done` bytes, and show the progress."""
    total = done + int(response.headers.get("Content-Length", 0))
    resumed = f", {done / 1e6:.1f} MB of it are here" if done else ""
    print(f"downloading {response.url} ({total / 1e6:.1f} MB{resumed})", file=sys.stderr, flush=True)
    terminal = sys.stderr.isatty()
    bar = tqdm(total=total or None, initial=done, unit="B", unit_scale=True, disable=not terminal)
    with part.open("ab" if done else "wb") as file, bar:
        for piece in response.iter_content(1 << 16):
            file.write(piece)
            bar.update(len(piece))
            before, done = done, done + len(piece)
            if not terminal and total and done * 10 // total > before * 10 // total:
                print(f"{done * 100 // total} %", file=sys.stderr, flush=True)


def _reason(error: OSError) -> str:
    """What went wrong in a few words; requests' own texts show the insides of its connection pool."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return error.strerror or str(cause).rpartition(": ")[2] or type(error).__name__


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive; _BadArchive where it is damaged or would write outside `folder`."""
    if tarfile.is_tarfile(archive) and not hasattr(tarfile, "data_filter"):
        raise InputError(
            f"{archive}: this Python unpacks tar archives into any folder that they name; 3.11.4 and later do not. "
            "Take such a one (uv run --python 3.12), or unpack it by hand and set --data-path."
        )
    try:
        if tarfile.is_tarfile(archive):  # judged by content: the end of an address is often no file name
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        else:
            with zipfile.ZipFile(archive) as packed:
                for name in packed.namelist():
                    path = PureWindowsPath(name)  # takes / and \ for separators
                    if ".." in path.parts or path.anchor:
                        raise _BadArchive(f"unsafe archive, it wants to write to {name!r}")
                packed.extractall(folder)
    except tarfile.FilterError as error:
        raise _BadArchive(f"unsafe archive, {error}") from error
    except DAMAGED as error:
        raise _BadArchive(f"damaged, or no tar or zip archive ({error})") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 report damaged data in this way
            raise _BadArchive(f"damaged archive ({error})") from error
        raise InputError(f"{folder.parent}: cannot unpack {archive} here ({error.strerror}).") from error


def _unwrap(source: Source, folder: Path) -> None:
    """Take away the one top folder that some archives wrap around the data set."""
    tops = [path for path in folder.iterdir() if path.name != "__MACOSX" and not path.name.startswith(".")]
    if len(tops) != 1 or not tops[0].is_dir():
        return
    if _has_layout(source, folder) and not (tops[0] / LABEL_FILE).is_file():
        return
    wrapper = tops[0].rename(folder / ".wrapper")  # a folder in it may have the wrapper's own name
    for path in wrapper.iterdir():
        path.rename(folder / path.name)
    wrapper.rmdir()


def _has_layout(source: Source, folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in source.layout)


def _check(source: Source, root: Path) -> None:
    """Raise _BadArchive, with names relative to `root`, unless the folder holds the data set."""
    if not _has_layout(source, root):
        raise _BadArchive(f"does not hold {' or '.join(source.layout)}")
    if source.channels:
        _check_channels(source, root)


def _check_channels(source: Source, root: Path) -> None:
    """Compare labeled_anomalies.csv with the arrays; _BadArchive names the row or file that fails."""
    base = next(root / nested for nested in NESTINGS if (root / nested / "train").is_dir())
    try:
        with (root / LABEL_FILE).open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["chan_id"], int(row["num_values"])) for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise _BadArchive(f"{LABEL_FILE} is missing") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _BadArchive(f"{LABEL_FILE} has no column chan_id, or not a whole number in num_values") from error
    if len(rows) != source.channels:
        raise _BadArchive(f"{LABEL_FILE} has {len(rows)} rows instead of {source.channels}")
    for number, (channel, length) in enumerate(rows, start=1):
        where = f"{LABEL_FILE} row {number} ({channel})"
        for path in (base / "train" / f"{channel}.npy", base / "test" / f"{channel}.npy"):
            if not path.is_file():
                raise _BadArchive(f"{where}: {PurePosixPath(path.relative_to(root))} is missing")
        try:
            shape = getattr(np.load(path, mmap_mode="r", allow_pickle=False), "shape", ())
        except (OSError, *DAMAGED) as error:
            raise _BadArchive(f"{where}: test/{channel}.npy is damaged ({error})") from error
        if shape[:1] != (length,):
            raise _BadArchive(f"{where}: num_values is {length}, test/{channel}.npy has the shape {shape}")


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data.download",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="|".join(SOURCES), help="the data set")
    parser.add_argument("--url", help="another address, or the path of an archive fetched by hand")
    parser.add_argument("--dest", metavar="DIR", help="the folder of the data set (data/NAME)")
    arguments = parser.parse_args(argv)
    download(arguments.name, arguments.url, arguments.dest)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit code: 0, or 2 with one line on what to do."""
    return exit_code(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
