/* An affine model: output = input * weight^T + bias. C source exported by linreg; do not edit.
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
#ifndef LINREG_MODEL_H
#define LINREG_MODEL_H

#include <stddef.h>

#if defined __FAST_MATH__ || defined __ASSOCIATIVE_MATH__ || defined __RECIPROCAL_MATH__ || \
    (defined __FINITE_MATH_ONLY__ && __FINITE_MATH_ONLY__)
#error "linreg_predict was verified with the arithmetic of the standard; compile it without -ffast-math"
#endif

#define LINREG_FEATURES 3
#define LINREG_OUTPUTS 1
#define LINREG_NUMBER float
#define LINREG_STATE_SHA256 "7fa2820d0f2d92d3932d6cf33c9841a81a6512ae76b2fb03cdd28843d582c3ee"
#define LINREG_FEATURE_NAMES { \
    "bill_length_mm", \
    "bill_depth_mm", \
    "flipper_length_mm"}
#define LINREG_TARGET_NAME "body_mass_g"

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

static const float linreg_weight[3] = {
    0x1.06a3d8p+1f, 0x1.4aa298p+4f, 0x1.96c218p+5f};

static const float linreg_bias[1] = {
    -0x1.94dd06p+12f};

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
