"""The LOBSTER reader: exact integers from sound files, an error with file, row and value from all others."""

import gzip

import numpy as np
import pytest

from hft_gym.data import LOBSTER_DTYPE, LobsterKind, companion_path, read_lobster
from hft_gym.errors import ConfigError, DataError
from tests.data.synthetic import EMPTY, make_rows, write_day, write_rows
from tests.data_files import shared_lobster


@pytest.fixture
def path(tmp_path):
    return write_day(tmp_path, rows=60, levels=3, seed=5)


def book_of(path):
    return path.with_name(path.name.replace("message", "orderbook"))


def edit(path, row, column, value):
    """Replace one field of a csv file (a negative row counts from the end)."""
    lines = path.read_text().splitlines()
    fields = lines[row].split(",")
    fields[column] = str(value)
    lines[row] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")


def refused(path, pattern, row=None, value=None, file=None):
    with pytest.raises(DataError, match=pattern) as caught:
        read_lobster(path)
    error = caught.value
    assert error.file == (path if file is None else file)
    assert str(error.file) in str(error)
    if row is not None:
        assert error.row == row
        assert f"row {row}" in str(error)
    if value is not None:
        assert error.value == value
        assert str(value) in str(error)
    return str(error)


def test_what_is_written_is_read(tmp_path):
    rows = make_rows(500, 4, depth=3, seed=8)
    for compressed in (False, True):
        day = read_lobster(write_rows(tmp_path, rows, compressed))
        assert (day.symbol, day.date, day.rows, day.levels) == ("TOY", "2020-01-02", 500, 4)
        assert (day.start_ns, day.end_ns) == (34_200 * 10**9, 57_600 * 10**9)
        assert (day.tick_units, day.ends_cleanly) == (100, True)
        assert day.messages.dtype == LOBSTER_DTYPE and day.book.dtype == np.int64
        for k, row in enumerate(rows):
            m = day.messages[k]
            assert int(m["time"]) == row.time  # to the nanosecond
            assert (m["kind"], m["order_id"], m["quantity"]) == (row.kind, row.order_id, row.size)
            assert m["price"] == row.price and (m["side"] == 0) == (row.direction == 1)
            flat = [0 if abs(v) == EMPTY else v for v in row.view]
            flat[0::2] = [v // 100 for v in flat[0::2]]
            assert day.book[k].ravel().tolist() == flat


def test_a_plain_file_may_have_a_compressed_companion(path):
    book = book_of(path)
    packed = book.with_name(book.name + ".gz")
    packed.write_bytes(gzip.compress(book.read_bytes()))
    book.unlink()
    assert companion_path(path) == packed
    assert read_lobster(path).rows == 60


def test_windows_line_ends_and_trailing_blank_lines_are_fine(path):
    expected = read_lobster(path)
    for file in (path, book_of(path)):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    day = read_lobster(path)
    assert np.array_equal(day.messages, expected.messages) and np.array_equal(day.book, expected.book)


def test_any_name_with_message_will_do(path, tmp_path):
    message = path.rename(tmp_path / "my_message.csv")
    book_of(path).rename(tmp_path / "my_orderbook.csv")
    day = read_lobster(message)
    assert (day.symbol, day.date) == ("", "")
    assert (day.start_ns, day.end_ns) == (day.messages["time"][0], day.messages["time"][-1])


def test_a_missing_file_names_its_neighbours(path):
    text = refused(path.with_name("typo_message_3.csv"), "there is no such file")
    assert path.name in text


def test_the_orderbook_file_is_not_the_message_file(path):
    with pytest.raises(DataError, match="this is the orderbook file: give its message file"):
        read_lobster(book_of(path))


def test_a_missing_companion_is_named(path):
    book_of(path).unlink()
    text = refused(path, "its orderbook file is missing")
    assert book_of(path).name in text and book_of(path).name + ".gz" in text


def test_row_counts_must_agree(path):
    book = book_of(path)
    book.write_text("\n".join(book.read_text().splitlines()[:-2]) + "\n")
    refused(path, "has 58 rows, its message file .* has 60", row=58, value=58, file=book)


@pytest.mark.parametrize(
    ("row", "column", "value", "pattern"),
    [
        (7, 0, 34200.0, "the time goes backwards to 34200.0 s"),
        (7, 0, -1.5, "the time is -1.5"),
        (7, 0, 86400.0, "the time is 86400.0"),
        (7, 0, "nan", "'nan' is not a decimal number"),
        (7, 1, 0, "the type is 0; LOBSTER has the types 1 to 7"),
        (7, 1, 8, "the type is 8"),
        (7, 3, 0, "the size is 0"),
        (7, 3, -5, "the size is -5"),
        (7, 3, 2**31, "the size is 2147483648"),
        (7, 4, 999950, "the price 999950 is not on the tick"),
        (7, 4, 0, "the price is 0; it must be positive"),
        (7, 4, -100, "the price is -100; it must be positive"),
        (7, 5, 0, "the direction is 0; allowed are 1"),
        (7, 5, 2, "the direction is 2"),
        (7, 2, "abc", "'abc' is not an integer"),
        (7, 3, "1.5", "'1.5' is not an integer"),
        (7, 3, "", "'' is not an integer"),
        (7, 0, "noon", "'noon' is not a decimal number"),
        (7, 5, "1,4", "has 7 columns where 6 are due"),
    ],
)
def test_bad_message_fields(path, row, column, value, pattern):
    edit(path, row, 1, 1) if column != 1 else None  # a type that has all fields
    edit(path, row, column, value)
    refused(path, pattern, row=row)


@pytest.mark.parametrize(
    ("column", "value", "pattern"),
    [
        (0, 1234567, "the price at ask level 1 is 1234567, not on the tick"),
        (2, -100, "the price at bid level 1 is -100; it must be positive"),
        (3, -1, "the size at bid level 1 is -1"),
        (5, 0, "the size at ask level 2 is 0; size 0 belongs to price"),
        (4, EMPTY, "the size at ask level 2 is .*; size 0 belongs to price"),
        (4, 100, "ask level 2 .price 1 ticks. is not worse than the level before it"),
        (10, 99999900, "bid level 3 .price 999999 ticks. is not worse"),
        (0, 100, "ask level 1|crossed"),
        (6, "x", "'x' is not an integer"),
    ],
)
def test_bad_book_fields(path, column, value, pattern):
    edit(book_of(path), 20, column, value)
    refused(path, pattern, row=20, file=book_of(path))


def test_a_level_after_an_empty_one_is_refused(path):
    edit(book_of(path), 20, 4, EMPTY)
    edit(book_of(path), 20, 5, 0)
    refused(path, "ask level 3 .* is not worse than the level before it", row=20, file=book_of(path))


@pytest.mark.parametrize("offset", [0, -100])
def test_a_locked_or_crossed_row_is_refused(path, offset):
    bid = int(book_of(path).read_text().splitlines()[20].split(",")[2])
    edit(book_of(path), 20, 0, bid + offset)
    refused(path, f"the book is crossed: best ask {(bid + offset) // 100} ticks", row=20, file=book_of(path))


def test_a_header_line_is_recognised(path):
    path.write_text("time,type,id,size,price,direction\n" + path.read_text())
    refused(path, "'time' is not a decimal number.*no header line: remove it", row=0)


@pytest.mark.parametrize("columns", [5, 7])
def test_a_wrong_number_of_columns(path, columns):
    lines = [(line + ",0").split(",")[:columns] for line in path.read_text().splitlines()]
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    refused(path, f"has {columns} columns, allowed is 6", row=0, value=columns)


def test_book_columns_come_in_fours(path):
    book = book_of(path)
    book.write_text("".join(line + ",1\n" for line in book.read_text().splitlines()))
    refused(path, "has 13 columns, allowed is a multiple of 4", row=0, value=13, file=book)


@pytest.mark.parametrize("which", ["message", "orderbook"])
def test_a_last_line_cut_off(path, which):
    file = path.with_name(path.name.replace("message", which))
    text = file.read_text()
    file.write_text(text[: text.rindex("\n", 0, -1) + 12])
    refused(path, "the last line is cut off.*The file is incomplete", row=59, file=file)


def test_a_short_line_in_the_middle_is_not_called_a_cut(path):
    lines = path.read_text().splitlines()
    lines[30] = ",".join(lines[30].split(",")[:4])
    path.write_text("\n".join(lines) + "\n")
    refused(path, "has 4 columns where 6 are due", row=30)
    lines[30] = ""
    path.write_text("\n".join(lines) + "\n")
    refused(path, "row 30: ", row=30)


def test_a_damaged_compressed_file(tmp_path):
    path = write_day(tmp_path, rows=60, compressed=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(path, "compressed file is damaged or cut off")
    path.write_bytes(b"not gzip at all")
    refused(path, "compressed file is damaged or cut off")


def test_an_empty_file(path):
    path.write_text("\n")
    refused(path, "the file is empty", row=0)


def test_off_tick_prices_name_the_tick_size(path):
    assert read_lobster(path, tick_size=0.005).book[0, 0, 0] == 2 * read_lobster(path).book[0, 0, 0]
    with pytest.raises(
        DataError, match=r"not on the tick.*multiples of 700 .a tick of 0.07.*Check tick_size"
    ):
        read_lobster(path, tick_size=0.07)
    for tick_size in (0.0, -0.01, 0.00005, 0.00015):
        with pytest.raises(ConfigError, match="tick_size is"):
            read_lobster(path, tick_size)


def test_hidden_executions_may_lie_between_ticks(path):
    day = read_lobster(path)
    hidden = day.messages["kind"] == LobsterKind.HIDDEN
    edit(path, 30, 1, 5)
    edit(path, 30, 4, 999950)
    assert read_lobster(path).messages["price"][30] == 999950
    assert hidden.sum() < day.rows


def test_a_halt_has_no_size_and_no_price(path):
    edit(path, 30, 1, 7)
    edit(path, 30, 3, 0)
    edit(path, 30, 4, -1)
    assert read_lobster(path).messages["price"][30] == -1


@pytest.mark.parametrize(
    ("symbol", "levels", "rows"), [("AMZN", 5, 79_272), ("AMZN", 1, 26_720), ("GOOG", 10, 72_066)]
)
def test_real_files(symbol, levels, rows):
    day = read_lobster(shared_lobster(symbol, levels))
    assert (day.symbol, day.date, day.rows, day.levels) == (symbol, "2012-06-21", rows, levels)
    assert (day.start_ns, day.end_ns) == (34_200 * 10**9, 45_000 * 10**9)
    assert np.all(day.book[:, 0, 0] > day.book[:, 0, 2])
