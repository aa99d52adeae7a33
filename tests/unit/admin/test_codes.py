"""`bearpit-admin code`: what it asks for, what it prints, and pictures that a phone can read."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import grpc
import pytest
import zxingcpp
from bearpit.v1 import codes_pb2 as pb
from bearpit_admin import sheets
from bearpit_admin.exits import Failure
from bearpit_admin.sheets import Label
from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal

CODES = [f"0000-0000-000{number:02d}" for number in range(30)]
BATCH = pb.CodeBatch(
    batch_id=3, reward=pb.Reward(points_cents=12_000), use=pb.CODE_USE_SINGLE, max_uses=1, code_count=30,
    reason="workshop", created_by="cleo", created_at=Timestamp(seconds=1_700_000_000),
    expires_at=Timestamp(seconds=1_800_000_000), redemption_count=1,
)  # fmt: skip


@pytest.fixture
def codes(desk: Desk) -> Desk:
    """A desk with a batch of thirty codes, of which the first is used."""

    def page(request: pb.GetBatchRequest) -> pb.GetBatchResponse:
        start = int(request.page_token or 0)
        end = start + request.page_size
        found = [pb.Code(code_id=n, text=CODES[n], uses=int(n == 0)) for n in range(30)[start:end]]
        return pb.GetBatchResponse(batch=BATCH, codes=found, next_page_token=str(end) if end < 30 else "")

    desk.answers["GetBatch"] = page
    desk.answers["CreateCodes"] = pb.CreateCodesResponse(batch=BATCH)
    desk.answers["ListBatches"] = pb.ListBatchesResponse(batches=[BATCH])
    desk.answers["WithdrawBatch"] = pb.WithdrawBatchResponse(batch=BATCH)
    return desk


def create(*options: str) -> tuple[str, ...]:
    return ("code", "create", "--reason", "workshop", *options)


@pytest.mark.parametrize(
    ("options", "reward"),
    [
        (("--points", "120"), pb.Reward(points_cents=12_000)),
        (
            ("--off", "50%", "--for", "4h"),
            pb.Reward(fee_coupon=pb.FeeCoupon(off_bps=5_000, lifetime_seconds=14_400)),
        ),
        (("--shares", "10", "-s", "acme"), pb.Reward(shares=pb.ShareGift(symbol="ACME", quantity=10))),
    ],
)
def test_makes_codes_of_each_kind_and_prints_them(
    options: tuple[str, ...], reward: pb.Reward, codes: Desk
) -> None:
    said = done(*create(*options, "--count", "30", "--use", "limited", "--max-uses", "4", "-o", "csv"))
    asked = codes.only("CreateCodes")
    assert (asked.reward, asked.use, asked.max_uses) == (reward, pb.CODE_USE_LIMITED, 4)
    assert (asked.count, asked.reason, asked.HasField("expires_at")) == (30, "workshop", False)
    lines = said.splitlines()
    assert lines[:2] == ["code,link", f"{CODES[0]},bearpit://redeem/{CODES[0]}"]
    assert len(lines) == 31


def test_a_dry_run_makes_nothing_and_prints_no_codes(codes: Desk) -> None:
    codes.answers["CreateCodes"] = pb.CreateCodesResponse(
        batch=pb.CodeBatch(reward=BATCH.reward, code_count=30)
    )
    said = done(*create("--points", "120", "--count", "30", "--dry-run"))
    assert said == "dry run, nothing changed: made 30 codes of 120.00 points\n"
    assert codes.only("CreateCodes").validate_only
    assert codes.requests("GetBatch") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--points"),
        (("--points", "1", "--off", "5%", "--for", "1h"), "--points"),
        (("--off", "5%"), "--for"),
        (("--for", "1h", "--points", "1"), "--for"),
        (("--shares", "5"), "--symbol"),
        (("--points", "0"), "no price"),
        (("--points", "1.234"), "12.40"),
        (("--off", "half", "--for", "1h"), "5%"),
        (("--off", "5%", "--for", "soon"), "45m"),
        (("--points", "1", "--expires", "later"), "+5m"),
        (("--points", "1", "--count", "0"), "--count"),
        (("--points", "1", "--use", "often"), "often"),
    ],
)
def test_says_what_is_wrong_with_the_options(options: tuple[str, ...], words: str) -> None:
    result = admin(*create(*options))
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_lists_and_shows_batches(codes: Desk) -> None:
    [header, row] = done("code", "list", "--open", "-o", "csv").splitlines()
    assert header == ("id,brings,use,codes,redeemed,reason,expires_at,withdrawn_at,created_by,created_at")
    assert row == (
        "3,120.00 points,single,30,1,workshop,2027-01-15T08:00:00.000Z,,cleo,2023-11-14T22:13:20.000Z"
    )
    assert codes.only("ListBatches").open_only
    said = done("code", "show", "3", "-n", "2").splitlines()
    assert said[0] == "id\t3"
    assert said[-2:] == [f"{CODES[n]}\t{1 - n}\tbearpit://redeem/{CODES[n]}" for n in range(2)]


def test_the_codes_of_a_batch_come_as_csv(codes: Desk) -> None:
    [header, first, *_] = done("code", "show", "3", "-o", "csv").splitlines()
    assert (header, first) == ("code,uses,link", f"{CODES[0]},1,bearpit://redeem/{CODES[0]}")


def test_withdraws_when_asked_to(codes: Desk, somebody_there: None) -> None:
    assert admin("code", "withdraw", "3", said="n\n").exit_code == 1
    assert codes.requests("WithdrawBatch") == []
    assert done("code", "withdraw", "3", "--yes") == "withdrew batch 3, redeemed 1 times before\n"
    assert codes.only("WithdrawBatch").batch_id == 3


def test_lists_redemptions(desk: Desk) -> None:
    found = pb.Redemption(
        redemption_id=9, batch_id=3, code=CODES[0], player="ada", reward=BATCH.reward, reason="workshop",
        redeemed_at=Timestamp(seconds=1_700_000_000),
    )  # fmt: skip
    desk.answers["ListRedemptions"] = pb.ListRedemptionsResponse(redemptions=[found])
    said = done("code", "redemptions", "3", "--player", "ada", "-o", "csv")
    assert said.splitlines()[1] == f"9,2023-11-14T22:13:20.000Z,ada,{CODES[0]},120.00 points,3,workshop"
    asked = desk.only("ListRedemptions")
    assert (asked.batch_id, asked.player) == (3, "ada")


# Pictures


def read(image: Image.Image) -> list[str]:
    """What a reader of QR codes finds."""
    return sorted(found.text for found in zxingcpp.read_barcodes(image.convert("L")))


def drawn(rows: list[list[bool]], scale: int = 4) -> Image.Image:
    """Modules as a picture; those that are true are dark."""
    flat = bytes(0 if dark else 255 for row in rows for dark in row)
    image = Image.frombytes("L", (len(rows[0]), len(rows)), flat)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def link_in_capitals(code: str) -> str:
    return f"BEARPIT://REDEEM/{code}"


def test_a_pipe_is_given_the_plain_code_that_is_not_used_yet(codes: Desk) -> None:
    assert done("code", "qr", "3") == f"{CODES[1]}\n"
    assert done("code", "qr", "3", "--code", "ooOO 0000 00000") == f"{CODES[0]}\n"
    result = admin("code", "qr", "3", "--code", "ZZZZ")
    assert (result.exit_code, "has no code ZZZZ" in result.output) == (3, True)


def test_the_picture_on_the_terminal_can_be_read() -> None:
    rows: list[list[bool]] = []
    for line in sheets.blocks(f"bearpit://redeem/{CODES[1]}"):
        rows += [[shown in upper for shown in line] for upper in ("▄ ", "▀ ")]
    assert read(drawn(rows)) == [link_in_capitals(CODES[1])]


def test_the_terminal_shows_the_picture_with_its_code(codes: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bearpit_admin.commands.code.is_terminal", lambda: True)
    said = done("code", "qr", "3").splitlines()
    assert said[-2:] == ["120.00 points: workshop", CODES[1]]
    assert {*said[0]} == {"█"}


def test_a_png_can_be_read(codes: Desk, tmp_path: Path) -> None:
    path = tmp_path / "code.png"
    assert done("code", "qr", "3", "--png", str(path)) == f"wrote {CODES[1]} to {path}\n"
    with Image.open(path) as image:
        assert read(image) == [link_in_capitals(CODES[1])]


def paths_in(svg: str) -> list[tuple[ElementTree.Element, ElementTree.Element]]:
    """The labels of a page, and the QR code of each."""
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(svg)
    return [
        (label, path)
        for label in root.iter(f"{space}svg")
        if (path := label.find(f"{space}path")) is not None
    ]


def modules(path: str, side: float = sheets.QR) -> list[list[bool]]:
    """The modules that an SVG path draws."""
    bars = [
        [float(number) for number in bar.replace("h", " ").replace("v", " ").replace("z", "").split()[:4]]
        for bar in path.split("M")[1:]
    ]
    tall = bars[0][3]
    count = round(side / tall)
    above = (sheets.LABEL[1] - side) / 2
    rows = [[False] * count for _ in range(count)]
    for left, top, wide, _ in bars:
        row, start = round((top - above) / tall), round(left / tall)
        for column in range(start, start + round(wide / tall)):
            rows[row][column] = True
    return rows


def test_a_sheet_as_svg_has_every_code_once_and_each_can_be_read(codes: Desk, tmp_path: Path) -> None:
    path = tmp_path / "codes.svg"
    written = ", ".join(str(tmp_path / f"codes-{number}.svg") for number in (1, 2))
    assert done("code", "sheet", "3", "--svg", str(path)) == f"wrote 30 codes on 2 pages to {written}\n"
    found: list[str] = []
    for number, size in ((1, 21), (2, 9)):
        page = paths_in((tmp_path / f"codes-{number}.svg").read_text())
        assert len(page) == size
        for label, picture in page:
            texts = [text.text for text in label if text.tag.endswith("text")]
            assert texts[0] == "120.00 points"
            assert texts[2:] == ["workshop", "until 2027-01-15 08:00 UTC"]
            assert read(drawn(modules(picture.attrib["d"]))) == [link_in_capitals(str(texts[1]))]
            found.append(str(texts[1]))
    assert found == CODES


def test_a_sheet_as_pdf_has_a_page_for_each_21_codes(codes: Desk, tmp_path: Path) -> None:
    path = tmp_path / "codes.pdf"
    said = done("code", "sheet", "3", "--pdf", str(path), "--unused")
    assert said == f"wrote 29 codes on 2 pages to {path}\n"
    written = path.read_bytes()
    assert written.startswith(b"%PDF-")
    assert written.count(b"/Type /Page\n") == 2


def label(**more: Any) -> Label:
    texts = {"worth": "120.00 points", "reason": "workshop", "until": "", **more}
    return Label("bearpit://redeem/0", "0000-0000-00000", **texts)


def test_a_long_text_stays_on_its_label() -> None:
    [(one, _)] = paths_in(
        sheets.svg([label(worth="1000000000 of BIGSYMBOL123", reason="word " * 30, until="2027")])
    )
    lines = [(float(text.attrib["y"]), text.text) for text in one if text.tag.endswith("text")]
    assert lines == sorted(lines)
    assert lines[-1][0] < sheets.LABEL[1]
    assert len({down for down, _ in lines}) == len(lines)


def test_what_svg_would_obey_is_only_text() -> None:
    [(one, _)] = paths_in(sheets.svg([label(reason='<script> & "x"')]))
    assert [text.text for text in one if text.tag.endswith("text")][-1] == '<script> & "x"'


def test_letters_that_a_pdf_has_not_are_left_to_svg() -> None:
    with pytest.raises(Failure) as failure:
        sheets.pdf([label(reason="Łódź")])
    assert (failure.value.message, failure.value.hint) == (
        "A PDF of ours has no letter 'Ł'.", "make it with --svg instead",
    )  # fmt: skip
    assert "Łódź" in sheets.svg([label(reason="Łódź")])


@pytest.mark.parametrize("options", [(), ("--svg", "a.svg", "--pdf", "a.pdf")])
def test_a_sheet_is_of_one_kind(options: tuple[str, ...]) -> None:
    assert admin("code", "sheet", "3", *options).exit_code == 2


def test_a_folder_that_is_not_there_is_said_in_words(codes: Desk, tmp_path: Path) -> None:
    for options in (("qr", "3", "--png"), ("sheet", "3", "--svg"), ("sheet", "3", "--pdf")):
        result = admin("code", *options, str(tmp_path / "nowhere" / "x"))
        assert result.exit_code == 2
        assert "nowhere/x cannot be written: No such file or directory." in result.output


def test_a_refusal_says_what_to_do(desk: Desk) -> None:
    desk.answers["WithdrawBatch"] = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CODE_WITHDRAWN")
    assert admin("code", "withdraw", "3", "--yes").exit_code == 3


def test_pictures_are_not_loaded_before_they_are_needed() -> None:
    script = "import sys, bearpit_admin.app; print(sorted({'segno', 'fpdf', 'PIL'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
