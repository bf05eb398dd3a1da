"""The same as GoldenHlog.java by the Python reader: tag, lines, first start and last end in ms, count, min, p50, p99, max."""

import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

sums = {}
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3_600_000_000, 3))
while True:
    histogram = reader.get_next_interval_histogram()
    if histogram is None:
        break
    lines, start, end, total = sums.get(histogram.tag, (0, float("inf"), 0, HdrHistogram(1, 3_600_000_000, 3)))
    total.add(histogram)
    sums[histogram.tag] = (
        lines + 1,
        min(start, histogram.get_start_time_stamp()),
        max(end, histogram.get_end_time_stamp()),
        total,
    )
for tag, (lines, start, end, total) in sorted(sums.items()):
    lowest = total.get_lowest_equivalent_value(total.get_min_value())
    figures = [total.get_value_at_percentile(p) for p in (50, 99)]
    print(tag, lines, round(start), round(end), total.get_total_count(), lowest, *figures, total.get_max_value(), sep="\t")
