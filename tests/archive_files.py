"""Archives of data sets, made here."""

import io
import tarfile
import zipfile

import numpy as np

HEADER = "chan_id,spacecraft,anomaly_sequences,class,num_values\n"
CHANNELS = {"P-1": 30, "M-2": 20}


def labels(**lengths):
    return HEADER + "".join(f'{c},SMAP,"[[1, 2]]",[point],{n}\n' for c, n in {**CHANNELS, **lengths}.items())


def npy(rows):
    file = io.BytesIO()
    np.save(file, np.zeros((rows, 3)))
    return file.getvalue()


def telemanom(base="data/", **extra):
    """The files of a miniature SMAP/MSL archive."""
    files = {f"{base}train/{channel}.npy": npy(5) for channel in CHANNELS}
    return files | {f"{base}test/{channel}.npy": npy(rows) for channel, rows in CHANNELS.items()} | extra


def mvtec(base=""):
    noise = np.random.default_rng(0).bytes(200_000)
    return {f"{base}bottle/train/good/000.png": noise, f"{base}bottle/test/good/000.png": b"x"}


def as_zip(files, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def as_tar(files, mode="w:xz"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()
