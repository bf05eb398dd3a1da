import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/** Reads our payloads and writes its own of the same values: GoldenHdr recorded.tsv ours.tsv, result on stdout. */
public final class GoldenHdr {
  public static void main(String[] arguments) throws Exception {
    for (String line : Files.readAllLines(Path.of(arguments[1]))) {
      String[] fields = line.split("\t");
      ByteBuffer envelope = ByteBuffer.wrap(Base64.getDecoder().decode(fields[1]));
      Histogram read = Histogram.decodeFromCompressedByteBuffer(envelope, 0);
      System.out.println("reads\t" + fields[0] + "\t" + counts(read));
    }
    for (Map.Entry<String, Histogram> entry : recorded(Path.of(arguments[0])).entrySet()) {
      Histogram histogram = entry.getValue();
      ByteBuffer envelope = ByteBuffer.allocate(histogram.getNeededByteBufferCapacity() + 1024);
      int length = histogram.encodeIntoCompressedByteBuffer(envelope);
      byte[] bytes = new byte[length];
      envelope.rewind();
      envelope.get(bytes);
      System.out.println("writes\t" + entry.getKey() + "\t" + Base64.getEncoder().encodeToString(bytes));
      System.out.println("counts\t" + entry.getKey() + "\t" + counts(histogram));
    }
  }

  private static Map<String, Histogram> recorded(Path file) throws Exception {
    Map<String, Histogram> histograms = new LinkedHashMap<>();
    for (String line : Files.readAllLines(file)) {
      String[] fields = line.split("\t", -1);
      Histogram histogram = new Histogram(1, 3_600_000_000L, 3);
      for (String pair : fields[1].isEmpty() ? new String[0] : fields[1].split(",")) {
        String[] parts = pair.split(":");
        histogram.recordValueWithCount(Long.parseLong(parts[0]), Long.parseLong(parts[1]));
      }
      histograms.put(fields[0], histogram);
    }
    return histograms;
  }

  private static String counts(Histogram histogram) {
    List<String> pairs = new ArrayList<>();
    for (HistogramIterationValue value : histogram.recordedValues()) {
      long lowest = histogram.lowestEquivalentValue(value.getValueIteratedTo());
      pairs.add(lowest + ":" + value.getCountAtValueIteratedTo());
    }
    return String.join(",", pairs);
  }
}
