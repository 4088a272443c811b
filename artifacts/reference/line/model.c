/* An affine model: output = input * weight^T + bias. C source exported by linreg; do not edit.
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
#ifndef LINREG_MODEL_H
#define LINREG_MODEL_H

#include <stddef.h>

#if defined __FAST_MATH__ || defined __ASSOCIATIVE_MATH__ || defined __RECIPROCAL_MATH__ || \
    (defined __FINITE_MATH_ONLY__ && __FINITE_MATH_ONLY__)
#error "linreg_predict was verified with the arithmetic of the standard; compile it without -ffast-math"
#endif

#define LINREG_FEATURES 1
#define LINREG_OUTPUTS 1
#define LINREG_NUMBER float
#define LINREG_STATE_SHA256 "27c44efa416155b6c2d282830ca25139690c72d6f077a8fabf4f7e6829e503f3"
#define LINREG_FEATURE_NAMES { \
    "x"}
#define LINREG_TARGET_NAME "y"

#ifdef __cplusplus
extern "C" {
#endif

/* Predict `batch` rows: `input` holds batch * LINREG_FEATURES numbers, row by row, `output` takes
 * batch * LINREG_OUTPUTS. They must not overlap; neither is read or written where batch is 0.
 * A sum begins at 0, adds input * weight feature by feature with one rounding each (fmaf), then the bias. */
void linreg_predict(size_t batch, const float *input, float *output);

#ifdef __cplusplus
}
#endif

#endif

/* End of the header. */

#include <math.h>

static const float linreg_weight[1] = {
    0x1.64c432p-1f};

static const float linreg_bias[1] = {
    0x1.35c4e2p-2f};

void linreg_predict(size_t batch, const float *input, float *output)
{
    for (size_t row = 0; row < batch; ++row) {
        for (size_t place = 0; place < LINREG_OUTPUTS; ++place) {
            const float *weight = linreg_weight + place * LINREG_FEATURES;
            float sum = 0;
            for (size_t feature = 0; feature < LINREG_FEATURES; ++feature) {
                sum = fmaf(input[feature], weight[feature], sum);
            }
            output[place] = sum + linreg_bias[place];
        }
        input += LINREG_FEATURES;
        output += LINREG_OUTPUTS;
    }
}
