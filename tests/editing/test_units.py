import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.editing.units import Length, Point, parse_factors, parse_point, parse_shift
from eie.elements import Canvas
from eie.errors import UsageError

CANVAS = Canvas(height=200, width=101)

lengths = st.builds(Length, st.floats(-1e6, 1e6).map(lambda value: round(value, 6)), st.booleans())


@settings(deadline=None)
@given(lengths, lengths)
def test_a_printed_point_is_read_back(x: Length, y: Length) -> None:
    assert parse_point(str(Point(x, y))) == Point(x, y)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12,8", (12, 8)),
        ("+40,-0.5", (40, -0.5)),
        (" .5 , 7. ", (0.5, 7)),
        ("50%,100%", (50.5, 200)),
        ("-10%,3", (-10.1, 3)),
    ],
)
def test_points_are_in_pixels_or_percent_of_width_and_height(
    text: str, expected: tuple[float, float]
) -> None:
    np.testing.assert_allclose(parse_point(text).on(CANVAS), expected)


def test_a_shift_in_percent_is_whole_pixels_and_one_in_pixels_is_exact() -> None:
    np.testing.assert_array_equal(parse_shift("10%,2.25").shift_on(CANVAS), [10, 2.25])
    np.testing.assert_array_equal(parse_shift("-10%,1%").shift_on(CANVAS), [-10, 2])


@pytest.mark.parametrize(
    ("text", "expected"), [("2", (2, 2)), ("1.5,50%", (1.5, 0.5)), ("150%", (1.5, 1.5))]
)
def test_factors(text: str, expected: tuple[float, float]) -> None:
    np.testing.assert_array_equal(parse_factors(text), expected)


@pytest.mark.parametrize(
    "text", ["", "1", "1,", "1,2,3", "1;2", "a,b", "1e3,2", "nan,1", "inf,1", "1,2px", "1000001,0",
             "9" * 400 + ",0", "--1,2", "٣,٣"]
)  # fmt: skip
def test_what_is_no_point_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_point(text)
    assert caught.value.hint
    assert "point" in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-1", "1,0", "1,2,3", "", "two", "0%"])
def test_what_is_no_factor_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_factors(text)


def test_an_error_names_the_character() -> None:
    with pytest.raises(UsageError, match=r"at 'x' \(character 4\)"):
        parse_point("10,x")
