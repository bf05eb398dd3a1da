"""Prints golden.json: inputs, and what SciPy and statsmodels make of them. Called by scripts/golden-statistics.sh."""

import json
import math
import platform

import numpy
import scipy
import statsmodels
from scipy import special, stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

random = numpy.random.default_rng(20260314)


def drawn(mean, cov, count):
    return [float(f"{value:.10g}") for value in random.normal(mean, mean * cov, count)]


def special_functions():
    beta = [(x, a, b) for x in (1e-9, 0.01, 0.3, 0.5, 0.9, 0.999999) for a, b in ((0.5, 0.5), (2, 3), (1, 40), (500, 2), (8703, 1.5))]
    gamma = [(x, a) for x in (1e-6, 0.1, 1, 5, 50, 600) for a in (0.5, 1, 2, 24.5, 500)]
    return {
        "incompleteBeta": [[x, a, b, special.betainc(a, b, x)] for x, a, b in beta],
        "incompleteGamma": [[x, a, special.gammainc(a, x)] for x, a in gamma],
        "chiSquareQuantile": [[p, d, stats.chi2.ppf(p, d)] for p in (0.005, 0.025, 0.5, 0.975, 0.995) for d in (1, 2, 4, 9, 50, 400)],
        "studentTQuantile": [[p, d, stats.t.ppf(p, d)] for p in (0.6, 0.9, 0.975, 0.995, 0.999999) for d in (1, 1.7, 4, 7.3, 30, 1e5)],
        "fCdf": [[f, a, b, stats.f.cdf(f, a, b)] for f in (0.01, 0.5, 1, 4, 30) for a, b in ((1, 8), (1, 68), (4, 4), (3, 17.5))],
    }


def mean_case(values, confidence):
    low, high = stats.t.interval(confidence, len(values) - 1, numpy.mean(values), stats.sem(values))
    return {"values": values, "confidence": confidence, "mean": numpy.mean(values), "deviation": numpy.std(values, ddof=1), "low": low, "high": high}


def cov_case(values, confidence):
    """Vangel's formula once more, with SciPy's quantiles."""
    n, cov = len(values), stats.variation(values, ddof=1)
    ends = []
    for share in (1 - (1 - confidence) / 2, (1 - confidence) / 2):
        u = stats.chi2.ppf(share, n - 1)
        under = ((u + 2) / n - 1) * cov**2 + u / (n - 1)
        ends.append(None if under <= 0 else cov / math.sqrt(under))
    return {"values": values, "confidence": confidence, "cov": cov, "low": ends[0], "high": ends[1]}


def welch_case(a, b, confidence):
    test = stats.ttest_ind(b, a, equal_var=False)
    interval = test.confidence_interval(confidence)
    low, high = CompareMeans(DescrStatsW(b), DescrStatsW(a)).tconfint_diff(alpha=1 - confidence, usevar="unequal")
    assert abs(low - interval.low) < 1e-6 * abs(high - low) and abs(high - interval.high) < 1e-6 * abs(high - low)
    return {"a": a, "b": b, "confidence": confidence, "low": interval.low, "high": interval.high, "degrees": test.df, "pValue": test.pvalue}


def variance_case(a, b):
    statistic, p = stats.levene(a, b, center="median")
    return {"a": a, "b": b, "statistic": statistic, "pValue": p}


def pooled(groups):
    shares = []
    for values in groups:
        middle = numpy.median(values)
        own = sorted(abs(value - middle) / middle for value in values)
        shares += own[1:] if len(own) % 2 == 1 else [math.sqrt(2) * own[0], *own[2:]]
    return shares


def pooled_case(levels):
    statistic, p = stats.f_oneway(pooled([one["a"] for one in levels]), pooled([one["b"] for one in levels]))
    return {"levels": levels, "statistic": statistic, "pValue": p}


def percentile_case(count, percentile, confidence):
    """Of the values 1 ... count, whose order statistics are their ranks."""
    values = numpy.arange(1, count + 1)
    share = percentile / 100
    interval = stats.quantile_test(values, q=0, p=share).confidence_interval(confidence)
    ends = [None if math.isnan(end) else int(end) for end in interval]
    return {"count": count, "percentile": percentile, "confidence": confidence, "low": ends[0], "high": ends[1]}


pairs = [(drawn(6676, 0.002, 5), drawn(6972, 0.04, 5)), (drawn(100, 0.1, 3), drawn(101, 0.1, 9)), (drawn(1e-3, 0.5, 6), drawn(2e-3, 0.5, 4))]
samples = [drawn(6808, 0.04, 5), drawn(5786, 0.117, 5), drawn(952, 0.0034, 5), drawn(1e9, 1e-7, 4), drawn(3, 0.3, 12), drawn(5, 0.5, 2)]
levels = [{"a": drawn(mean, 0.002, 5), "b": drawn(mean * 1.03, 0.04, 5)} for mean in (137, 554, 1092, 4380, 6682, 6663, 6676)]
even = [{"a": drawn(mean, 0.01, 4), "b": drawn(mean, 0.01, 5)} for mean in (100, 300, 900)]

golden = {
    "madeBy": f"Python {platform.python_version()}, scipy {scipy.__version__}, numpy {numpy.__version__}, statsmodels {statsmodels.__version__}",
    **special_functions(),
    "meanInterval": [mean_case(values, confidence) for values in samples for confidence in (0.9, 0.95, 0.99)],
    "coefficientOfVariation": [cov_case(values, 0.95) for values in samples],
    "welchInterval": [welch_case(a, b, confidence) for a, b in pairs for confidence in (0.9, 0.95, 0.99)],
    "varianceTest": [variance_case(a, b) for a, b in pairs],
    "varianceTestOverLevels": [pooled_case(levels), pooled_case(levels[:1]), pooled_case(even)],
    "percentileInterval": [
        percentile_case(count, percentile, confidence)
        for count in (10, 50, 100, 757, 1000, 17406)
        for percentile in (50, 90, 95, 99, 99.9)
        for confidence in (0.95, 0.99)
    ],
}
print(json.dumps(golden, indent=1, allow_nan=False, default=float))
