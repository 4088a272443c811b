/* An affine model: output = input * weight^T + bias. JavaScript exported by linreg; do not edit.
 * {
 *  "features": ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"],
 *  "inputs": [{"dtype": "float32", "name": "input", "shape": ["batch", 3]}],
 *  "outputs": [{"dtype": "float32", "name": "output", "shape": ["batch", 1]}],
 *  "parameters": [{"dtype": "float32", "name": "linear_layer.weight", "shape": [1, 3]}, {"dtype": "float32", "name": "linear_layer.bias", "shape": [1]}],
 *  "ranges": [[32.1, 59.6], [13.1, 21.5], [172.0, 231.0]],
 *  "state_sha256": "7fa2820d0f2d92d3932d6cf33c9841a81a6512ae76b2fb03cdd28843d582c3ee",
 *  "target": "body_mass_g"
 * }
 */

export const inputSize = 3;
export const outputSize = 1;
export const inputShape = Object.freeze([3]);
export const outputShape = Object.freeze([1]);
export const featureNames = Object.freeze(["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]);
export const targetName = "body_mass_g";
export const stateSha256 = "7fa2820d0f2d92d3932d6cf33c9841a81a6512ae76b2fb03cdd28843d582c3ee";

const weight = new Float32Array([
  2.051875, 20.664696, 50.844772,
]);
const bias = new Float32Array([
  -6477.814,
]);
const f = Math.fround;

function dense(from, start, to, place, weight, bias, { lines, features, outputs }) {
  for (let line = 0; line < lines; ++line, start += features) {
    for (let output = 0, at = 0; output < outputs; ++output) {
      let sum = 0;
      for (let feature = 0; feature < features; ++feature) sum = f(sum + from[start + feature] * weight[at++]);
      to[place++] = bias === null ? sum : sum + bias[output];
    }
  }
}

/**
 * Predict rows.
 *
 * @param {Float32Array} input inputSize numbers for each row, row by row
 * @param {Float32Array} [output] takes outputSize numbers for each row; it must not overlap the input
 * @returns {Float32Array} the output
 */
export function predict(input, output = new Float32Array((input?.length / inputSize) * outputSize)) {
  const batch = input?.length / inputSize;
  if (!(input instanceof Float32Array) || !Number.isInteger(batch)) {
    throw new TypeError(`input: expected a Float32Array of ${inputSize} numbers for each row`);
  }
  if (!(output instanceof Float32Array) || output.length !== batch * outputSize) {
    throw new TypeError(`output: expected a Float32Array of ${outputSize} numbers for each row`);
  }
  for (let row = 0, start = 0, end = 0; row < batch; ++row, start += inputSize, end += outputSize) {
    dense(input, start, output, end, weight, bias, { lines: 1, features: 3, outputs: 1 });
  }
  return output;
}
