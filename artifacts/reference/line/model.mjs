/* An affine model: output = input * weight^T + bias. JavaScript exported by linreg; do not edit.
 * {
 *  "features": ["x"],
 *  "inputs": [{"dtype": "float32", "name": "input", "shape": ["batch", 1]}],
 *  "outputs": [{"dtype": "float32", "name": "output", "shape": ["batch", 1]}],
 *  "parameters": [{"dtype": "float32", "name": "linear_layer.weight", "shape": [1, 1]}, {"dtype": "float32", "name": "linear_layer.bias", "shape": [1]}],
 *  "ranges": [[0.0, 0.9800000190734863]],
 *  "state_sha256": "27c44efa416155b6c2d282830ca25139690c72d6f077a8fabf4f7e6829e503f3",
 *  "target": "y"
 * }
 */

export const inputSize = 1;
export const outputSize = 1;
export const inputShape = Object.freeze([1]);
export const outputShape = Object.freeze([1]);
export const featureNames = Object.freeze(["x"]);
export const targetName = "y";
export const stateSha256 = "27c44efa416155b6c2d282830ca25139690c72d6f077a8fabf4f7e6829e503f3";

const weight = new Float32Array([
  0.69680935,
]);
const bias = new Float32Array([
  0.30250886,
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
    dense(input, start, output, end, weight, bias, { lines: 1, features: 1, outputs: 1 });
  }
  return output;
}
