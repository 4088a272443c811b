package linreg;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Elements row after row, in the machine's order.
 *
 * @param type ONNX's number for the type of the elements
 */
public record Tensor(int type, long[] shape, byte[] data) {
  public static final int FLOAT32 = 1;

  /** Copies values, row after row. */
  public static Tensor ofFloats(long[] shape, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values);
    return new Tensor(FLOAT32, shape, bytes.array());
  }

  /** A copy of the elements of a tensor of float32. */
  public float[] floats() {
    if (type != FLOAT32) throw new LinregException("the elements have type " + type + ", expected float32");
    FloatBuffer elements = ByteBuffer.wrap(data).order(ByteOrder.nativeOrder()).asFloatBuffer();
    float[] values = new float[elements.remaining()];
    elements.get(values);
    return values;
  }
}
