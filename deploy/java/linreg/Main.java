package linreg;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Runs model.onnx from Java: row, verify, bench. See README.md. */
final class Main {
  private static final String USAGE = """
      usage: linreg-java row MODEL.onnx NUMBER..
             linreg-java verify BUNDLE
             linreg-java bench BUNDLE BATCH [BLOCKS]
      ORT_LIB names another libonnxruntime.so than the one found when deploy/c was built.""";

  private static final class UsageException extends Exception {
    private static final long serialVersionUID = 1;
  }

  private Main() {}

  public static void main(String[] words) {
    int code;
    try {
      code = execute(Arrays.asList(words));
    } catch (UsageException error) {
      System.err.println(USAGE);
      code = 2;
    } catch (LinregException error) {
      System.err.println("error: " + error.getMessage());
      code = 1;
    }
    System.exit(code);
  }

  private static int execute(List<String> words) throws UsageException {
    if (words.size() < 2) throw new UsageException();
    Path path = Path.of(words.get(1));
    List<String> rest = words.subList(2, words.size());
    switch (words.get(0) + " " + Math.min(rest.size(), 3)) {
      case "row 1", "row 2", "row 3":
        return row(path, rest);
      case "verify 0":
        try (Model model = Model.openBundle(path)) {
          return model.verify(path);
        }
      case "bench 1":
        return bench(path, number(rest.get(0)), 100);
      case "bench 2":
        return bench(path, number(rest.get(0)), number(rest.get(1)));
      default:
        throw new UsageException();
    }
  }

  /** Prints the outputs for one row of features, one number per line. */
  private static int row(Path path, List<String> words) throws UsageException {
    float[] numbers = new float[words.size()];
    try {
      for (int index = 0; index < numbers.length; index++) numbers[index] = Float.parseFloat(words.get(index));
    } catch (NumberFormatException error) {
      throw new UsageException();
    }
    try (Model model = Model.open(path)) {
      for (Tensor output : model.run(Tensor.ofFloats(new long[] {1, numbers.length}, numbers))) {
        for (float value : output.floats()) System.out.println(value);
      }
    }
    return 0;
  }

  private static int bench(Path bundle, int batch, int blocks) {
    try (Model model = Model.openBundle(bundle)) {
      return model.bench(bundle, batch, blocks);
    }
  }

  /** A whole number from 0 to a million. */
  private static int number(String word) throws UsageException {
    if (!word.matches("[0-9]{1,7}") || Integer.parseInt(word) > 1_000_000) throw new UsageException();
    return Integer.parseInt(word);
  }
}
