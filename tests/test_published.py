"""Published tables: COCO-LT's numbers, exactness at the edge of rounding, brute force over numbers and splits."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manylabel import published_splits
from manylabel.compare import table_total
from manylabel.labels import ManylabelError
from manylabel.published import Printed, Published, Row, check_rows, read, text
from manylabel.published_splits import explain

COCO = {"head": 22, "medium": 33, "tail": 25}


def table(*rows, groups=("head", "medium", "tail")):
    """Rows as (system, total, group, ...) of texts; "" is not printed."""
    made = [Row(name, *(Printed(total) if total else None,), tuple(Printed(g) if g else None for g in rest))
            for name, total, *rest in rows]  # fmt: skip
    return Published(groups, tuple(made))


def one(row, classes, **options):
    (check,) = check_rows(table(row, groups=tuple(classes)), classes, **options)
    return check


class TestCocoLt:
    def test_the_total_follows_from_the_groups(self):
        check = one(("ours", "75.40", "76.19", "72.05", "79.12"), COCO)
        assert check.verdict == "agrees"
        exact = table_total([(76.19, 22), (72.05, 33), (79.12, 25)])
        assert float(sum(check.implied)) / 2 == pytest.approx(exact)
        assert float(check.off) == pytest.approx(75.40 - exact)
        low, high = check.implied
        assert high - low == Fraction(1, 100)  # every group may be off by .005, and so may their mean
        assert (check.mends, check.swaps) == ((), ())

    def test_a_total_that_does_not(self):
        check = one(("theirs", "75.96", "76.19", "72.05", "79.12"), COCO)
        assert check.verdict == "differs"
        assert float(check.off) == pytest.approx(75.96 - 75.397875)
        assert {mend.column: mend.value for mend in check.mends} == {
            "total": "75.40", "head": "78.23", "medium": "73.41", "tail": "80.92",
        }  # fmt: skip
        assert check.swaps == (("head", "medium"),)  # 72.05 and 76.19 make 75.967
        assert not any(mend.slip for mend in check.mends)

    @pytest.mark.parametrize(
        ("printed", "slip"),
        [("76.39", True), ("67.19", True), ("76.91", True), ("96.17", False), ("79.16", False), ("67.91", False)],
    )
    def test_one_digit_or_two_neighbours_are_a_slip(self, printed, slip):
        """Of one group with 76.19, whose total must be that."""
        row = Row("a", Printed(printed), (Printed("76.19"),))
        (check,) = check_rows(Published(("all",), (row,)), {"all": 5})
        (mend,) = [mend for mend in check.mends if mend.column == "total"]
        assert (mend.value, mend.slip) == ("76.19", slip)

    def test_a_digit_that_slipped_is_found(self):
        for row, column in ((("a", "75.40", "76.19", "72.50", "79.12"), "medium"),
                            (("b", "75.40", "76.19", "72.05", "79.72"), "tail"),
                            (("c", "74.40", "76.19", "72.05", "79.12"), "total")):  # fmt: skip
            check = one(row, COCO)
            assert check.verdict == "differs"
            assert column in {mend.column for mend in check.mends if mend.slip}


class TestExact:
    def test_at_the_very_edge(self):
        # groups .5 and .5 of one class each stand for .45 to .55; a total of .6 for .55 to .65: they touch
        assert one(("a", "0.6", "0.5", "0.5"), {"x": 1, "y": 1}).verdict == "agrees"
        assert one(("a", "0.60", "0.5", "0.5"), {"x": 1, "y": 1}).verdict == "differs"  # .595 to .605
        assert one(("a", "0.5", "0.45", "0.44"), {"x": 1, "y": 1}).verdict == "agrees"  # up to .45 exactly
        assert one(("a", "0.5", "0.45", "0.4399"), {"x": 1, "y": 1}).verdict == "differs"  # up to .447475
        # a third of .15 and two of .15 are .15, where .2 begins: sums of floats end above it or below
        assert one(("a", "0.2", "0.1", "0.1"), {"x": 1, "y": 2}).verdict == "agrees"
        assert one(("a", "0.20", "0.1", "0.1"), {"x": 1, "y": 2}).verdict == "differs"

    def test_printed_decimals_matter(self):
        assert one(("a", "76", "75.4", "75.5"), {"x": 5, "y": 5}).verdict == "agrees"
        assert one(("a", "76.0", "75.4", "75.5"), {"x": 5, "y": 5}).verdict == "differs"
        assert Printed("76").bounds == (Fraction("75.5"), Fraction("76.5"))
        assert Printed("76.00").bounds == (Fraction("75.995"), Fraction("76.005"))
        assert Printed("76.").bounds == Printed("76").bounds
        assert Printed(".5").bounds == (Fraction("0.45"), Fraction("0.55"))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.integers(0, 30), min_size=2, max_size=3), st.data())
    def test_agrees_where_some_numbers_behind_the_printed_ones_do(self, groups, data):
        sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(groups), max_size=len(groups)))
        total = data.draw(st.integers(0, 300))
        classes = dict(zip("abc", sizes))
        check = one(("x", str(total / 100) if total % 10 else f"{total / 100:.2f}", *(f"{g / 10:.1f}" for g in groups)),
                    classes)  # fmt: skip
        half = Fraction(check.row.total.half)
        ends = [(Fraction(g, 10) - Fraction(1, 20), Fraction(g, 10) + Fraction(1, 20)) for g in groups]
        corners = [sum(n * v for n, v in zip(sizes, corner)) / sum(sizes) for corner in product(*ends)]
        told = Fraction(total, 100)
        fits = min(corners) <= told + half and max(corners) >= told - half
        assert check.verdict == ("agrees" if fits else "differs")

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(0, 20), min_size=2, max_size=3), st.integers(0, 20), st.data())
    def test_mends_are_all_single_numbers_that_agree(self, groups, total, data):
        sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(groups), max_size=len(groups)))
        classes = dict(zip("abc", sizes))
        row = ["x", *(f"{value / 10:.1f}" for value in (total, *groups))]
        check = one(row, classes, highest=2.0)
        if check.verdict == "agrees":
            assert not check.mends
            return
        found = {mend.column: mend for mend in check.mends}
        for place, column in enumerate(["total", *classes], start=1):
            good = [
                f"{value / 10:.1f}"
                for value in range(21)
                if one([*row[:place], f"{value / 10:.1f}", *row[place + 1 :]], classes).verdict == "agrees"
            ]
            assert (column in found) == bool(good)
            if good:
                mend = found[column]
                assert (mend.least, mend.most) == (good[0], good[-1])
                assert mend.value in good
                assert mend.printed == row[place]
        for a, b in (("a", "b"), ("a", "c"), ("b", "c")):
            if a in classes and b in classes:
                turned = row.copy()
                i, j = (2 + list(classes).index(name) for name in (a, b))
                turned[i], turned[j] = row[j], row[i]
                assert ((a, b) in check.swaps) == (one(turned, classes).verdict == "agrees")

    def test_a_number_beyond_the_scale_mends_nothing(self):
        check = one(("a", "90.0", "1.0", "1.0"), {"x": 1, "y": 1})
        assert {mend.column for mend in check.mends} == {"total"}
        wide = one(("a", "90.0", "1.0", "1.0"), {"x": 1, "y": 1}, highest=200.0)
        assert {mend.column: mend.value for mend in wide.mends} == {"total": "1.0", "x": "179.0", "y": "179.0"}


class TestSplits:
    ROWS = (
        ("a", "75.40", "76.19", "72.05", "79.12"),
        ("b", "60.33", "70.00", "60.00", "52.25"),
        ("c", "44.62", "30.15", "41.90", "60.96"),
    )

    def brute(self, rows, classes):
        found = []
        for head in range(1, classes - 1):
            for medium in range(1, classes - head):
                sizes = dict(zip(COCO, (head, medium, classes - head - medium)))
                fits = [check.verdict != "differs" for check in check_rows(table(*rows), sizes)]
                found.append((sum(fits), tuple(sizes.values())))
        return found

    def test_all_of_them_are_found(self):
        rows = [(name, f"{table_total([(float(v), n) for v, n in zip(groups, (4, 6, 5))]):.2f}", *groups)
                for name, _, *groups in self.ROWS]  # fmt: skip
        found, every = explain(table(*rows), 15), self.brute(rows, 15)
        assert found.splits == tuple(sizes for fits, sizes in every if fits == 3)
        assert (4, 6, 5) in found.splits
        assert found.number == len(found.splits)
        assert (found.rows, found.explained, found.left_over) == (3, 3, ())

    def test_coco_lt_is_found_from_one_row_among_few(self):
        rows = [(name, f"{table_total([(float(v), n) for v, n in zip(groups, COCO.values())]):.2f}", *groups)
                for name, _, *groups in self.ROWS]  # fmt: skip
        found = explain(table(*rows), 80)
        assert found.splits == ((22, 33, 25),)

    def test_what_nothing_explains_says_what_comes_nearest(self):
        rows = [("bad", "99.00", "76.19", "72.05", "79.12"), *self.ROWS]
        found, every = explain(table(*rows), 12), self.brute(rows, 12)
        most = max(fits for fits, _ in every)
        assert found.number == 0
        assert found.explained == most < 4
        assert found.splits == tuple(sizes for fits, sizes in every if fits == most)
        assert found.left_over[0] == "bad"
        assert len(found.left_over) == 4 - most

    def test_rows_that_lack_a_number_are_left_aside(self):
        found = explain(table(("a", "0.55", "0.5", "0.6"), ("b", "", "0.1", "0.9"), groups=("x", "y")), 2)
        assert (found.rows, found.splits) == (1, ((1, 1),))
        with pytest.raises(ManylabelError, match="no row"):
            explain(table(("b", "", "0.1", "0.9"), groups=("x", "y")), 2)

    def test_one_group_and_four_groups(self):
        assert explain(table(("a", "0.5", "0.5"), groups=("x",)), 7).splits == ((7,),)
        row = ("a", "0.450", "0.0", "0.4", "0.6", "0.8")
        found = explain(table(row, groups=tuple("wxyz")), 9)
        for sizes in product(range(1, 7), repeat=4):
            if sum(sizes) == 9:
                (check,) = check_rows(table(row, groups=tuple("wxyz")), dict(zip("wxyz", sizes)))
                assert (sizes in found.splits) == (check.verdict == "agrees")

    def test_no_more_are_kept_than_said(self, monkeypatch):
        monkeypatch.setattr(published_splits, "LISTED", 5)
        found = explain(table(("a", "0.5", "0.5", "0.5"), groups=("x", "y")), 30)
        assert (found.number, len(found.splits)) == (29, 5)
        monkeypatch.setattr(published_splits, "MOST", 20)
        with pytest.raises(ManylabelError, match="in 29 ways"):
            explain(table(("a", "0.5", "0.5", "0.5"), groups=("x", "y")), 30)
        with pytest.raises(ManylabelError, match="1 classes do not fill 2 groups"):
            explain(table(("a", "0.5", "0.5", "0.5"), groups=("x", "y")), 1)
        with pytest.raises(ManylabelError, match="10 decimals"):
            explain(table(("a", "0.5000000000", "0.5", "0.5"), groups=("x", "y")), 5)


class TestFile:
    def write(self, tmp_path, content):
        path = tmp_path / "table.csv"
        path.write_text(content, encoding="utf-8")
        return path

    def test_columns_in_any_order_and_blanks(self, tmp_path):
        path = self.write(
            tmp_path,
            "\ufeffmethod,head,tail,total,medium\nours,76.19,79.12,75.40,72.05\n\ntheirs,76.19,79.12,75.96,72.05\n"
            "old,-,79.12,75.40,72.05\nolder,76.19,79.12,,72.05\n",
        )
        read_back = read(path)
        assert read_back.groups == ("head", "tail", "medium")
        checks = check_rows(read_back, COCO)
        assert [check.verdict for check in checks] == ["agrees", "differs", "incomplete", "incomplete"]
        assert checks[2].implied is None
        assert float(checks[3].implied[0]) == pytest.approx(75.392875)
        said = text(checks).splitlines()
        assert said[0].split() == ["system", "total", "implied", "off", "verdict"]
        assert said[1].split() == ["ours", "75.40", "75.393–75.403", "+0.00", "agrees"]
        assert said[3] == "    head and medium may have changed places"
        assert said[4] == "    total could be 75.40 (75.39 to 75.40) in place of 75.96"
        assert said[-1] == "4 rows: 1 agrees, 1 differs, 2 incomplete"

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
    def test_what_a_spreadsheet_saves(self, tmp_path, encoding):
        path = tmp_path / "table.csv"
        path.write_bytes("méthode;total;head\nours;75.40;75.40\n".encode(encoding))
        assert read(path).rows[0].total == Printed("75.40")
        path.write_bytes(b"\x89PNG" + bytes(20))
        with pytest.raises(ManylabelError, match="is no text"):
            read(path)

    def test_other_names_of_the_total(self, tmp_path):
        path = self.write(tmp_path, "method,all,many,few\nours,0.5,0.4,0.6\n")
        assert check_rows(read(path, total="all"), {"many": 1, "few": 1})[0].verdict == "agrees"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("method,Total,head\n", "Did you mean 'Total'"),
            ("method,total\n", "expected the header"),
            ("", "expected the header"),
            ("method,total,head,head\n", "occurs twice"),
            ("method,total,head\na,1.0\n", "line 2: expected 3 cells, got 2"),
            ("method,total,head\na,1.0,2.0\nb,1.0,2..0\n", "line 3, column 'head'.*'2..0'"),
            ("method,total,head\na,75.4*,2.0\n", "line 2, column 'total'"),
            ("method,total,head\na,nan,2e1\n", "column 'head'"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_named(self, tmp_path, content, message):
        with pytest.raises(ManylabelError, match=message):
            read(self.write(tmp_path, content))

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ManylabelError, match="no such file"):
            read(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"head": 22, "medium": 33}, "classes of 'tail' is missing"),
        ({"head": 22, "medium": 33, "tial": 25}, "Did you mean 'tial'"),
        ({**COCO, "rare": 3}, "no group 'rare'"),
        ({**COCO, "tail": 0}, "at least 1, got 0"),
        ({**COCO, "tail": 2.5}, "whole number"),
    ],
)  # fmt: skip
def test_wrong_numbers_of_classes_are_refused(classes, message):
    with pytest.raises(ManylabelError, match=message):
        check_rows(table(("a", "1.0", "1.0", "1.0", "1.0")), classes)
