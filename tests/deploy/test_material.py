import zlib
from pathlib import Path

from mixnet.deploy.material import SIZE, digest_of, make_file


def test_the_file_has_its_size_and_is_half_noise_and_half_text(tmp_path: Path) -> None:
    make_file(tmp_path / "one")
    content = (tmp_path / "one").read_bytes()
    assert len(content) == SIZE
    noise, text = content[: SIZE // 2], content[SIZE // 2 :]
    assert len(zlib.compress(noise)) > 0.99 * len(noise)
    assert len(zlib.compress(text)) < 0.5 * len(text)
    assert b"import" in text


def test_no_two_files_are_alike(tmp_path: Path) -> None:
    make_file(tmp_path / "one", 1001)
    make_file(tmp_path / "two", 1001)
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")
    (tmp_path / "two").write_bytes((tmp_path / "one").read_bytes())
    assert digest_of(tmp_path / "one") == digest_of(tmp_path / "two")
