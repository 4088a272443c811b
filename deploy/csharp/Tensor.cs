using System;
using System.Runtime.InteropServices;

namespace Linreg {
  /// What the library says of a failure: one line.
  public sealed class LinregException : Exception {
    public LinregException(string line) : base(line) {}
  }

  /// Elements row after row, as bytes in the machine's order; the type is ONNX's number.
  public sealed class Tensor {
    public const int Float32 = 1;

    public readonly int Type;
    public readonly long[] Shape;
    public readonly byte[] Data;

    public Tensor(int type, long[] shape, byte[] data) {
      Type = type;
      Shape = shape;
      Data = data;
    }

    public Tensor(long[] shape, params float[] values) : this(Float32, shape, new byte[sizeof(float) * values.Length]) {
      Buffer.BlockCopy(values, 0, Data, 0, Data.Length);
    }

    public float[] Float32s() {
      if (Type != Float32) throw new LinregException($"the elements have type {Type}, expected float32");
      var values = new float[Data.Length / sizeof(float)];
      Buffer.BlockCopy(Data, 0, values, 0, Data.Length);
      return values;
    }

    internal static unsafe Tensor CopyOf(Native.Tensor* tensor) {
      var shape = new long[(int)tensor->Rank];
      var data = new byte[(int)tensor->Bytes];
      for (int axis = 0; axis < shape.Length; axis++) shape[axis] = tensor->Dims[axis];
      Marshal.Copy((IntPtr)tensor->Data, data, 0, data.Length);
      return new Tensor(tensor->Type, shape, data);
    }

    /// Give C a copy, to be freed with linreg_free_tensor.
    internal unsafe void CopyTo(Native.Tensor* copied) {
      var error = new byte[Native.ErrorBytes];
      if (!Native.linreg_allocate_tensor(copied, Type, (UIntPtr)Shape.Length, Shape, error))
        throw new LinregException(Native.Line(error));
      if ((int)copied->Bytes != Data.Length)
        throw new LinregException($"got {Data.Length} bytes for the shape ({string.Join(", ", Shape)})");
      Marshal.Copy(Data, 0, (IntPtr)copied->Data, Data.Length);
    }
  }
}
