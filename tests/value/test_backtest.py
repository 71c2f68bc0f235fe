"""Forecasts by hand: each model, who is chosen when, what a range is made of, and what a short history says."""

from __future__ import annotations

from datetime import date

import pytest

from finops_kit.value.backtest import MODELS, Month, forecast
from finops_kit.value.months import days_of, next_month


def history(rates, calendar=0.0, start=date(2024, 1, 1)):
    """Months at so much a day."""
    months = [next_month(start, place) for place in range(len(rates))]
    return [Month(month, rate * days_of(month), calendar) for month, rate in zip(months, rates, strict=True)]


def test_january_forecasts_february_by_the_day_and_keeps_calendar_items():
    made = forecast([Month(date(2025, 1, 1), 3100.0, 50.0)])
    (step,) = made.ahead
    assert (step.month, step.forecast, step.low) == (date(2025, 2, 1), pytest.approx(2850), None)
    assert made.past == () and made.why_no_range == "only 0 past forecasts to learn an error from, 4 are needed"
    assert forecast([]) is None


def test_the_models_by_hand():
    year = [float(n) for n in range(1, 13)]
    assert [MODELS["last month"](year, 2), MODELS["same month last year"](year, 2)] == [12, 2]
    assert MODELS["same month last year"](year[:11], 1) is None
    assert MODELS["drift"]([1.0, 5.0, 7.0], 2) == 7 + 2 * 3
    assert MODELS["drift"]([1.0, 5.0], 1) is None and MODELS["theta"]([1.0, 2.0, 3.0], 1) is None
    # a straight line is smoothed by 1: level 4, slope 1, so half the slope a month: 4 + 0.5 x (steps - 1 + 1)
    assert [MODELS["theta"]([1.0, 2.0, 3.0, 4.0], steps) for steps in (1, 3)] == pytest.approx([4.5, 5.5])


def test_a_steady_rise_is_followed_once_it_is_proven_and_not_before():
    made = forecast(history([10.0 + n for n in range(12)]), horizon=2)
    used = [step.model for step in made.past]
    # drift forecasts from 3 months on; after 4 forecasts of its own (months 4 to 7) it is chosen
    assert used[:6] == ["last month"] * 6 and set(used[6:]) == {"drift"}
    assert [step.forecast / days_of(step.month) for step in made.ahead] == pytest.approx([22, 23])
    by_model = {score.model: score for score in made.scores}
    assert by_model["drift"].wape == pytest.approx(0) and by_model["drift"].chosen
    assert by_model["same month last year"].wape is None and by_model["last month"].forecasts == 11


def test_what_comes_every_year_is_expected_again():
    season = [10.0] * 11 + [40.0]
    made = forecast(history(season * 2 + season[:10]), horizon=2)
    assert made.ahead[1].model == "same month last year"
    assert made.ahead[1].forecast == pytest.approx(40 * 31)


def test_a_range_is_the_conformal_quantile_of_past_errors():
    # 10 a day, and in turn 1, 2, 3, 4 % more or less than the day rate before: errors of 1 to 4 %
    rates = [100.0]
    for error in (0.04, 0.01, -0.03, 0.02):
        rates.append(rates[-1] * (1 + error))
    made = forecast(history(rates))
    (step,) = made.ahead
    # four errors: the ceil(5 x 0.8) = 4th smallest, 4 %, on both sides
    assert (step.low, step.high) == pytest.approx((0.96 * step.forecast, 1.04 * step.forecast))
    assert made.past[-1].low is None and made.ranged == 0 and made.why_no_range == ""
    jump = rates[-1] * 1.5
    later = forecast(history([*rates, *[jump] * 5]))
    # the jump by a half fell out of its range, the four months after it into theirs
    assert (later.held, later.ranged) == (4, 5)
    # nine errors, 50 % and four of nothing among them: the ceil(10 x 0.8) = 8th smallest is 4 % again
    assert later.ahead[0].high / later.ahead[0].forecast == pytest.approx(1.04)


def test_errors_are_told_and_a_sum_has_a_range_of_its_own():
    made = forecast(history([10.0, 20.0, 10.0, 20.0, 10.0, 20.0]), horizon=3, together=2)
    last = made.scores[0]
    # 290 - 580, 620 - 310, 300 - 600, 620 - 310, 300 - 600: 1510 wrong of 580 + 310 + 600 + 310 + 600
    assert (last.model, last.forecasts, last.wape) == ("last month", 5, pytest.approx(1510 / 2400))
    assert last.mase == pytest.approx(1, abs=0.1)  # as wrong as the moves are large, up to the days of a month
    # July and August at 20 a day; sums of two months erred by 29/60, 15.5/61, 30/61 and 15.5/61: the fourth is 30/61
    assert made.total == pytest.approx(1240) and made.total_high == pytest.approx(1240 * (1 + 30 / 61))


def test_months_before_a_gap_are_left_out():
    months = history([10.0] * 8)
    made = forecast([*months[:3], *months[4:]])
    assert len(made.past) == 3
