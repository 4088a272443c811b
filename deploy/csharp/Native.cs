using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Linreg {
  /// The functions of deploy/c/linreg.h.
  static unsafe class Native {
    public const int ErrorBytes = 512, MaxRank = 8;

    [StructLayout(LayoutKind.Sequential)]
    public struct Tensor {
      public int Type;
      public UIntPtr Rank;
      public fixed long Dims[MaxRank];
      public UIntPtr Count, Bytes;
      public byte* Data;
    }

    /// A line that C wrote into a buffer.
    public static string Line(byte[] buffer) =>
        Encoding.UTF8.GetString(buffer, 0, Math.Max(0, Array.IndexOf<byte>(buffer, 0)));

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    [return: MarshalAs(UnmanagedType.I1)]
    public delegate bool Run(IntPtr context, Tensor* inputs, UIntPtr inputCount, Tensor* outputs, UIntPtr outputCount,
                             byte* error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate long Block(IntPtr context, long calls);

    [DllImport("linreg")] public static extern IntPtr linreg_open(string path, byte[] error);
    [DllImport("linreg")] public static extern IntPtr linreg_open_bundle(string bundle, byte[] error);
    [DllImport("linreg")] public static extern void linreg_close(IntPtr model);
    [DllImport("linreg")] public static extern IntPtr linreg_version(IntPtr model);
    [DllImport("linreg")] public static extern UIntPtr linreg_output_count(IntPtr model);
    [DllImport("linreg")]
    [return: MarshalAs(UnmanagedType.I1)]
    public static extern bool linreg_run(IntPtr model, Tensor* inputs, UIntPtr inputCount, Tensor* outputs,
                                         UIntPtr outputCount, byte[] error);
    [DllImport("linreg")]
    [return: MarshalAs(UnmanagedType.I1)]
    public static extern bool linreg_allocate_tensor(Tensor* tensor, int type, UIntPtr rank, long[] dims, byte[] error);
    [DllImport("linreg")] public static extern void linreg_free_tensor(Tensor* tensor);
    [DllImport("linreg")]
    public static extern int linreg_verify(string runtime, string bundle, Run run, IntPtr context);
    [DllImport("linreg")]
    public static extern IntPtr linreg_bind(IntPtr model, string bundle, long batch, byte[] error);
    [DllImport("linreg")]
    [return: MarshalAs(UnmanagedType.I1)]
    public static extern bool linreg_call(IntPtr call);
    [DllImport("linreg")] public static extern void linreg_unbind(IntPtr call);
    [DllImport("linreg")]
    public static extern int linreg_bench(string runtime, IntPtr version, long batch, UIntPtr blocks, Block block,
                                          IntPtr context);
  }
}
