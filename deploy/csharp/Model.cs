using System;
using System.Diagnostics;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;

namespace Linreg {
  /// model.onnx on ONNX Runtime: one session, on one thread of the CPU. Threads may share it.
  public sealed unsafe class Model : IDisposable {
    IntPtr handle;

    Model(IntPtr handle, byte[] error) {
      if (handle == IntPtr.Zero) throw new LinregException(Native.Line(error));
      this.handle = handle;
    }

    public static Model Open(string path) {
      var error = new byte[Native.ErrorBytes];
      return new Model(Native.linreg_open(path, error), error);
    }

    /// Open model.onnx of a bundle; a link in its place is refused.
    public static Model OpenBundle(string bundle) {
      var error = new byte[Native.ErrorBytes];
      return new Model(Native.linreg_open_bundle(bundle, error), error);
    }

    public void Dispose() {
      Native.linreg_close(handle);
      handle = IntPtr.Zero;
    }

    /// Inputs and outputs are copied.
    public Tensor[] Run(params Tensor[] inputs) {
      var from = new Native.Tensor[inputs.Length + 1]; // never empty, so that it has an address
      var to = new Native.Tensor[(int)Native.linreg_output_count(handle) + 1];
      fixed (Native.Tensor* source = from, target = to) {
        try {
          for (int index = 0; index < inputs.Length; index++) inputs[index].CopyTo(source + index);
          var error = new byte[Native.ErrorBytes];
          int count = to.Length - 1;
          if (!Native.linreg_run(handle, source, (UIntPtr)inputs.Length, target, (UIntPtr)count, error))
            throw new LinregException(Native.Line(error));
          var outputs = new Tensor[count];
          for (int index = 0; index < count; index++) outputs[index] = Tensor.CopyOf(target + index);
          return outputs;
        } finally {
          for (int index = 0; index < from.Length; index++) Native.linreg_free_tensor(source + index);
          for (int index = 0; index < to.Length; index++) Native.linreg_free_tensor(target + index);
        }
      }
    }

    /// Run all test vectors of a bundle, print the verdict, and return the exit code.
    public int Verify(string bundle) {
      Native.Run run = RunCase;
      int code = Native.linreg_verify("csharp", bundle, run, IntPtr.Zero);
      GC.KeepAlive(run);
      return code;
    }

    /// Time calls on the bundle's inputs of that batch size, print one JSON line, and return the exit code.
    public int Bench(string bundle, int batch, int blocks) {
      var error = new byte[Native.ErrorBytes];
      IntPtr call = Native.linreg_bind(handle, bundle, batch, error);
      if (call == IntPtr.Zero) throw new LinregException(Native.Line(error));
      Native.Block block = TimeBlock;
      IntPtr version = Native.linreg_version(handle);
      int code = Native.linreg_bench("csharp", version, batch, (UIntPtr)blocks, block, call);
      GC.KeepAlive(block);
      Native.linreg_unbind(call);
      return code;
    }

    /// No exception may pass through C.
    bool RunCase(IntPtr context, Native.Tensor* inputs, UIntPtr inputCount, Native.Tensor* outputs, UIntPtr outputCount,
                 byte* error) {
      try {
        var from = new Tensor[(int)inputCount];
        for (int index = 0; index < from.Length; index++) from[index] = Tensor.CopyOf(inputs + index);
        Tensor[] answers = Run(from);
        if (answers.Length != (int)outputCount)
          throw new LinregException($"has {outputCount} outputs, the model {answers.Length}");
        for (int index = 0; index < answers.Length; index++) answers[index].CopyTo(outputs + index);
        return true;
      } catch (Exception failure) {
        byte[] line = Encoding.UTF8.GetBytes(failure.Message).Take(Native.ErrorBytes - 1).Concat(new byte[1]).ToArray();
        Marshal.Copy(line, 0, (IntPtr)error, line.Length);
        return false;
      }
    }

    /// The nanoseconds of a block of calls, or -1 if one failed.
    static long TimeBlock(IntPtr call, long calls) {
      bool good = true;
      long start = Stopwatch.GetTimestamp();
      for (long done = 0; done < calls; done++) good &= Native.linreg_call(call);
      long taken = Stopwatch.GetTimestamp() - start;
      return good ? (long)(taken * (1e9 / Stopwatch.Frequency)) : -1;
    }
  }
}
