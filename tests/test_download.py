"""data.download against a server on this machine, with archives made here."""

import hashlib
import io
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from archive_files import as_tar, as_zip, labels, mvtec, telemanom

from data import archives, download
from runtime.errors import InputError


class Server(ThreadingHTTPServer):
    """Serves `files`; writes down the Range of each request; can break off or not know ranges."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.knows_ranges, self.break_after = {}, [], True, None

    def add(self, name, content):
        self.files[f"/{name}"] = content
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        server = self.server
        content, asked = server.files.get(self.path), self.headers.get("Range")
        server.ranges.append(asked)
        if content is None:
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.knows_ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : server.break_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(download, "LABELS_URL", server.add("labels.csv", labels().encode()))
    monkeypatch.setitem(download.SOURCES, "smap", replace(download.SOURCES["smap"], channels=2))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def publish(server, monkeypatch):
    """Make `content` the published archive of a data set, with its sha256, and return its address."""

    def publish(name, content, sha256=None):
        url = server.add(f"{name}.archive", content)
        known = sha256 or hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(download.SOURCES, name, replace(download.SOURCES[name], url=url, sha256=known))
        return url

    return publish


def left_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def run(folder, name="mvtec", *options):
    return download.main([name, "--dest", str(folder / name), *options])


def refused(folder, capsys, name="mvtec", *options):
    """Run a command that must fail with exit code 2 and one line, which is returned."""
    assert run(folder, name, *options) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    return last


@pytest.mark.parametrize("base", ["", "VisA_wrapped/", "bottle/"])
def test_tar_is_unpacked_without_wrapping_folder(publish, tmp_path, base):
    publish("mvtec", as_tar(mvtec(base)))
    assert run(tmp_path) == 0
    files = [path for path in (tmp_path / "mvtec").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "mvtec")): path.read_bytes() for path in files} == mvtec()
    assert [path.name for path in tmp_path.iterdir()] == ["mvtec"]


def test_a_python_that_unpacks_tars_anywhere_does_not_here(publish, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(archives, "SAFER", {})  # as before Python 3.11.4
    publish("mvtec", as_tar({"../evil": b"x"}))
    assert "unsafe archive, it wants to write to '../evil'" in refused(tmp_path / "work", capsys)
    assert left_in(tmp_path) == ["work"]
    publish("mvtec", as_tar(mvtec()))
    run(tmp_path)
    assert (tmp_path / "mvtec/bottle/train/good/000.png").is_file()


def test_visa_plain_tar(publish, tmp_path):
    publish("visa", as_tar({"candle/Data/Images/Normal/0.JPG": b"x", "split_csv/1cls.csv": b"y"}, "w"))
    assert run(tmp_path, "visa") == 0
    assert (tmp_path / "visa/split_csv/1cls.csv").read_bytes() == b"y"


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        (telemanom("data/"), "data/train"),
        (telemanom("data/data/"), "data/data/train"),
        (telemanom(""), "train"),
        (telemanom("wrapped/data/"), "data/train"),
        (telemanom("data/data/", **{"labeled_anomalies.csv": labels()}), "data/data/train"),
        (telemanom("data/", **{"data/labeled_anomalies.csv": labels()}), "train"),
        (telemanom("top/data/data/", **{"top/labeled_anomalies.csv": labels()}), "data/data/train"),
    ],
)
def test_smap_zip_keeps_its_nesting(server, tmp_path, files, kept):
    url = server.add("data.zip", as_zip(files))
    assert run(tmp_path, "smap", "--url", url) == 0
    assert (tmp_path / "smap/labeled_anomalies.csv").read_text() == labels()
    assert (tmp_path / "smap" / kept / "M-2.npy").is_file()
    assert len(server.ranges) == (1 if any("labeled" in name for name in files) else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["smap"]


@pytest.mark.parametrize("form", [str, lambda path: path.as_uri()])
def test_archive_fetched_by_hand(server, tmp_path, form):
    hand = tmp_path / "by hand"
    hand.mkdir()
    (hand / "archive.zip").write_bytes(as_zip(telemanom()))
    (hand / "labeled_anomalies.csv").write_text(labels())
    assert run(tmp_path, "smap", "--url", form(hand / "archive.zip")) == 0
    assert (hand / "archive.zip").is_file()
    assert server.ranges == []
    assert download.download("smap", destination=tmp_path / "smap") == tmp_path / "smap"


def test_default_folder_is_beside_the_module(publish, tmp_path, monkeypatch):
    publish("mvtec", as_tar(mvtec()))
    monkeypatch.setattr(download, "__file__", str(tmp_path / "download.py"))
    assert download.download("mvtec") == tmp_path / "mvtec"


def test_second_call_does_nothing(publish, server, tmp_path, capsys):
    publish("mvtec", as_tar(mvtec()))
    assert run(tmp_path) == 0
    capsys.readouterr()
    assert run(tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mvtec'}: mvtec is already there\n"
    assert len(server.ranges) == 1


def test_other_content_is_never_overwritten(publish, server, tmp_path, capsys):
    publish("mvtec", as_tar(mvtec()))
    (tmp_path / "mvtec").mkdir()
    (tmp_path / "mvtec/thesis.tex").write_text("years of work")
    assert "not the complete data set (does not hold */train/good)" in refused(tmp_path, capsys)
    assert left_in(tmp_path) == ["mvtec", "mvtec/thesis.tex"]
    assert server.ranges == []


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_broken_download_goes_on(publish, server, tmp_path, capsys, knows_ranges):
    content = as_tar(mvtec())
    publish("mvtec", content)
    server.knows_ranges, server.break_after = knows_ranges, 150_000
    error = refused(tmp_path, capsys)
    assert "the connection broke off" in error
    assert "The same command goes on where it stopped." in error
    (part,) = tmp_path.glob(".mvtec.download/*")
    done = part.stat().st_size
    assert part.suffix == ".part"
    assert part.read_bytes() == content[:done] and done > 0
    server.break_after = None
    assert run(tmp_path) == 0
    assert server.ranges == [None, f"bytes={done}-"]
    assert (tmp_path / "mvtec/bottle/train/good/000.png").read_bytes() == mvtec()["bottle/train/good/000.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["mvtec"]


@pytest.mark.parametrize(("surplus", "requests"), [(b"", 1), (b"of a longer version", 2)])
def test_part_that_is_already_whole_or_too_long(publish, server, tmp_path, surplus, requests):
    content = as_tar(mvtec())
    url = publish("mvtec", content)
    (tmp_path / ".mvtec.download").mkdir()
    (tmp_path / ".mvtec.download" / download._part_name(url)).write_bytes(content + surplus)
    assert run(tmp_path) == 0
    assert len(server.ranges) == requests


def test_wrong_hash_is_refused_and_removed(publish, tmp_path, capsys):
    content = as_tar(mvtec())
    url = publish("mvtec", content, sha256="0" * 64)
    error = refused(tmp_path, capsys)
    for part in (url, "0" * 64, hashlib.sha256(content).hexdigest(), "By hand: "):
        assert part in error
    assert left_in(tmp_path) == []
    (tmp_path / "own.tar.xz").write_bytes(content)
    error = refused(tmp_path, capsys, "mvtec", "--url", str(tmp_path / "own.tar.xz"))
    assert hashlib.sha256(content).hexdigest() in error
    assert left_in(tmp_path) == ["own.tar.xz"]


def test_failed_download_says_how_to_do_it_by_hand(server, tmp_path, capsys):
    closed = Server()
    closed.server_close()
    missing = refused(tmp_path, capsys, "smap", "--url", server.add("here", b"")[:-4] + "gone.zip")
    refusal = refused(tmp_path, capsys, "smap", "--url", f"http://127.0.0.1:{closed.server_port}/a.zip")
    assert "the download failed (HTTP 404 Not Found)" in missing
    assert "Connection refused)" in refusal
    for error in (missing, refusal):
        assert "https://www.kaggle.com/datasets/patrickfleith/" in error
        assert "`python -m data.download smap --url PATH_TO_ARCHIVE`" in error
        assert str(tmp_path / "smap") in error
    assert left_in(tmp_path) == []


def test_archive_is_kept_when_only_the_labels_fail(server, tmp_path, capsys):
    url = server.add("data.zip", as_zip(telemanom()))
    table = server.files.pop("/labels.csv")
    assert "labeled_anomalies.csv goes beside the archive" in refused(tmp_path, capsys, "smap", "--url", url)
    server.files["/labels.csv"] = table
    server.ranges.clear()
    assert run(tmp_path, "smap", "--url", url) == 0
    assert len(server.ranges) == 1


@pytest.mark.parametrize("name", ["../evil", "/evil-absolute", "a/../../evil"])
@pytest.mark.parametrize("pack", [as_tar, as_zip])
def test_nothing_is_written_outside(publish, tmp_path, capsys, pack, name):
    work = tmp_path / "work"
    publish("mvtec", pack({name: b"x"}))
    assert "unsafe archive, it wants to write to" in refused(work, capsys)
    assert left_in(tmp_path) == ["work"]


def test_link_to_outside_is_refused(publish, tmp_path, capsys):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo("bottle")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
    publish("mvtec", file.getvalue())
    assert "unsafe archive" in refused(tmp_path / "work", capsys)
    assert left_in(tmp_path) == ["work"]


def with_member(member, content=b"", mode="w:gz"):
    """A miniature archive with one member more."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, of_file in mvtec().items():
            whole = tarfile.TarInfo(name)
            whole.size = len(of_file)
            archive.addfile(whole, io.BytesIO(of_file))
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(publish, tmp_path, capsys, kind):
    member = tarfile.TarInfo("bottle/train/good/link.png")
    member.type, member.linkname = kind, "bottle/train/good/missing.png"
    publish("mvtec", with_member(member))
    assert "unsafe archive, 'bottle/train/good/link.png' is a link or a device" in refused(tmp_path, capsys)
    assert left_in(tmp_path) == []


def sparse(size):
    member = tarfile.TarInfo("bottle/large.png")
    member.pax_headers = {"GNU.sparse.size": str(size), "GNU.sparse.map": "0,0", "GNU.sparse.realsize": str(size)}
    return with_member(member)


@pytest.mark.parametrize(
    ("pack", "told"),
    [
        (
            lambda: as_zip(mvtec() | {"bottle/large.png": bytes(3 * 10**6)}, 8),
            "unpacks to 3 files of 0.0032 GB or more",
        ),
        (lambda: with_member(tarfile.TarInfo("bottle/large.png"), bytes(3 * 10**6)), "unpacks to 3 files of 0.0032 GB"),
        (lambda: sparse(10**12), "unpacks to 3 files of 1e+03 GB or more"),
        (lambda: as_tar(dict.fromkeys(map(str, range(30)), b"")), "unpacks to 21 files"),
        (lambda: as_zip(dict.fromkeys(map(str, range(30)), b"")), "unpacks to 30 files"),
    ],
    ids=["zip", "tar", "sparse", "files of a tar", "files of a zip"],
)
def test_a_bomb_is_not_unpacked(publish, tmp_path, capsys, monkeypatch, pack, told):
    monkeypatch.setattr(archives, "MOST_FILES", 20)
    publish("mvtec", pack())
    monkeypatch.setitem(download.SOURCES, "mvtec", replace(download.SOURCES["mvtec"], most=2 * 10**6))
    assert told in refused(tmp_path, capsys)
    assert left_in(tmp_path) == []


def test_a_header_is_not_read_without_end(publish, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(archives, "MOST_AT_ONCE", 10**5)
    member = tarfile.TarInfo("bottle/x.png")
    member.pax_headers = {"comment": "x" * 10**6}
    publish("mvtec", with_member(member))
    assert "a header in it claims" in refused(tmp_path, capsys)


def test_a_download_ends_where_no_data_set_would(publish, tmp_path, capsys, monkeypatch):
    publish("mvtec", as_tar(mvtec()))
    monkeypatch.setitem(download.SOURCES, "mvtec", replace(download.SOURCES["mvtec"], most=10**5))
    assert "is larger than the data set, of which no more than 0.0001 GB are expected" in refused(tmp_path, capsys)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.6])
def test_truncated_archive_leaves_nothing(publish, tmp_path, capsys, mode, kept):
    content = as_zip(mvtec()) if mode == "zip" else as_tar(mvtec(), mode)
    publish("mvtec", content[: int(len(content) * kept)])
    assert "damaged" in refused(tmp_path, capsys)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            telemanom(**{"labeled_anomalies.csv": labels(**{"M-2": 21})}),
            "row 2 (M-2): num_values is 21, test/M-2.npy has the shape (20, 3)",
        ),
        (
            {name: content for name, content in telemanom().items() if name != "data/train/P-1.npy"},
            "row 1 (P-1): data/train/P-1.npy is missing",
        ),
        (telemanom(**{"labeled_anomalies.csv": labels(extra=3)}), "has 3 rows instead of 2"),
        (telemanom(**{"labeled_anomalies.csv": "chan_id\nP-1\n"}), "has no column chan_id, or not a whole"),
        (telemanom(**{"data/test/P-1.npy": b"x"}), "row 1 (P-1): test/P-1.npy is damaged"),
        ({"a/readme": b"x"}, "does not hold train/*.npy or data/train/*.npy"),
    ],
)
def test_smap_archive_with_other_content(server, tmp_path, capsys, files, problem):
    url = server.add("data.zip", as_zip(files))
    error = refused(tmp_path, capsys, "smap", "--url", url)
    assert problem in error and url in error
    assert left_in(tmp_path) == []


def test_unpacked_by_hand_without_labels(server, tmp_path, capsys):
    with zipfile.ZipFile(io.BytesIO(as_zip(telemanom()))) as archive:
        archive.extractall(tmp_path / "smap")
    assert "labeled_anomalies.csv is missing" in refused(tmp_path, capsys, "smap")


def test_wrong_names(tmp_path, capsys):
    with pytest.raises(InputError, match="Did you mean 'mvtec'"):
        download.download("mvtek")
    assert "no such file" in refused(tmp_path, capsys, "visa", "--url", str(tmp_path / "none.tar"))
