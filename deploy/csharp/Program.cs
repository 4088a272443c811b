using System;
using System.Globalization;
using System.Linq;
using Linreg;

/// Run model.onnx from C#: row, verify, bench. See README.md.
static class Program {
  const string Usage =
      "usage: linreg-csharp row MODEL.onnx NUMBER..\n" +
      "       linreg-csharp verify BUNDLE\n" +
      "       linreg-csharp bench BUNDLE BATCH [BLOCKS]\n" +
      "ORT_LIB names another libonnxruntime.so than the one found when deploy/c was built.";

  static int Main(string[] words) {
    try {
      int? code = Execute(words);
      if (code == null) Console.Error.WriteLine(Usage);
      return code ?? 2;
    } catch (Exception error) when (error is LinregException || error is DllNotFoundException) {
      Console.Error.WriteLine("error: " + error.Message);
      return 1;
    }
  }

  /// The exit code; null for words that are no command.
  static int? Execute(string[] words) {
    string command = words.FirstOrDefault();
    if (command == "row" && words.Length > 2) return Row(words[1], words.Skip(2).Select(Number).ToArray());
    if (command == "verify" && words.Length == 2) return Verify(words[1]);
    if (command == "bench" && words.Length == 3) return Bench(words[1], Whole(words[2]), 100);
    if (command == "bench" && words.Length == 4) return Bench(words[1], Whole(words[2]), Whole(words[3]));
    return null;
  }

  /// Print the outputs for one row of features, one number per line.
  static int? Row(string path, float?[] numbers) {
    if (numbers.Contains(null)) return null;
    using (var model = Model.Open(path)) {
      var row = new Tensor(new long[] {1, numbers.Length}, numbers.Select(number => number.Value).ToArray());
      foreach (var value in model.Run(row).SelectMany(output => output.Float32s()))
        Console.WriteLine(value.ToString("R", CultureInfo.InvariantCulture));
    }
    return 0;
  }

  static int? Verify(string bundle) {
    using (var model = Model.OpenBundle(bundle)) return model.Verify(bundle);
  }

  static int? Bench(string bundle, int? batch, int? blocks) {
    if (batch == null || blocks == null) return null;
    using (var model = Model.OpenBundle(bundle)) return model.Bench(bundle, batch.Value, blocks.Value);
  }

  static float? Number(string word) {
    bool good = float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out float number);
    return good ? number : (float?)null;
  }

  /// A whole number from 0 to a million.
  static int? Whole(string word) {
    bool good = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
    return good && number <= 1000000 ? number : (int?)null;
  }
}
