import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;

/** Sums a log's lines by tag with HdrHistogram's own reader: tag, lines, first start and last end in ms, count, min, p50, p99, max. */
public final class GoldenHlog {
  private static final class Sum {
    int lines;
    long from = Long.MAX_VALUE;
    long to;
    final Histogram histogram = new Histogram(1, 3_600_000_000L, 3);
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, Sum> sums = new TreeMap<>();
    HistogramLogReader reader = new HistogramLogReader(arguments[0]);
    for (EncodableHistogram next; (next = reader.nextIntervalHistogram()) != null; ) {
      Histogram histogram = (Histogram) next;
      Sum sum = sums.computeIfAbsent(histogram.getTag(), tag -> new Sum());
      sum.lines += 1;
      sum.from = Math.min(sum.from, histogram.getStartTimeStamp());
      sum.to = Math.max(sum.to, histogram.getEndTimeStamp());
      sum.histogram.add(histogram);
    }
    for (Map.Entry<String, Sum> entry : sums.entrySet()) {
      Sum sum = entry.getValue();
      Histogram all = sum.histogram;
      System.out.println(
          String.join(
              "\t",
              entry.getKey(),
              Integer.toString(sum.lines),
              Long.toString(sum.from),
              Long.toString(sum.to),
              Long.toString(all.getTotalCount()),
              Long.toString(all.lowestEquivalentValue(all.getMinValue())),
              Long.toString(all.getValueAtPercentile(50)),
              Long.toString(all.getValueAtPercentile(99)),
              Long.toString(all.getMaxValue())));
    }
  }
}
