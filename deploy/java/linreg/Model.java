package linreg;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** model.onnx on ONNX Runtime: one session, on one thread of the CPU. Threads may share it. */
public final class Model implements AutoCloseable {
  static {
    System.loadLibrary("linreg_jni");
  }

  private long handle;

  private Model(long handle) {
    this.handle = handle;
  }

  public static Model open(Path path) {
    return new Model(open(bytes(path), false));
  }

  /** Opens model.onnx of a bundle; a link in its place is refused. */
  public static Model openBundle(Path bundle) {
    return new Model(open(bytes(bundle), true));
  }

  /** Inputs and outputs are copied. */
  public Tensor[] run(Tensor... inputs) {
    return run(handle, inputs);
  }

  /** Runs all test vectors of a bundle, prints the verdict, and returns the exit code. */
  public int verify(Path bundle) {
    return verify(handle, bytes(bundle));
  }

  /** Times calls on the bundle's inputs of that batch size, prints one JSON line, and returns the exit code. */
  public int bench(Path bundle, int batch, int blocks) {
    return bench(handle, bytes(bundle), batch, blocks);
  }

  @Override
  public void close() {
    close(handle);
    handle = 0;
  }

  /** The nanoseconds of a block of calls, or -1 if one failed; called by bench. */
  private static long timeBlock(long call, long calls) {
    boolean good = true;
    long start = System.nanoTime();
    for (long done = 0; done < calls; done++) good &= call(call);
    long taken = System.nanoTime() - start;
    return good ? taken : -1;
  }

  private static byte[] bytes(Path path) {
    return (path + "\0").getBytes(StandardCharsets.UTF_8);
  }

  private static native long open(byte[] path, boolean bundle);

  private static native void close(long handle);

  private static native Tensor[] run(long handle, Tensor[] inputs);

  private native int verify(long handle, byte[] bundle);

  private static native int bench(long handle, byte[] bundle, long batch, long blocks);

  private static native boolean call(long call);
}
